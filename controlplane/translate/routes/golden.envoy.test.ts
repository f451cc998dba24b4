import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { LONGEST_DIRECT_RESPONSE } from "./route-configuration.ts";

type Json = { [key: string]: unknown };

const EXTENSIONS = "type.googleapis.com/envoy.extensions.filters";
const folder = join(import.meta.dirname, "golden");
const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();

/** A listener whose routes are one virtual host. */
function listener(virtualHost: Json, index: number): Json {
  const filter = (name: string, type: string): Json => ({
    name: `envoy.filters.http.${name}`,
    typedConfig: { "@type": `${EXTENSIONS}.http.${name}.v3.${type}` },
  });
  const manager = {
    "@type": `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: "test",
    httpFilters: [filter("fault", "HTTPFault"), filter("cors", "Cors"), filter("router", "Router")],
    routeConfig: {
      virtualHosts: [virtualHost],
      validateClusters: false,
      maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
    },
  };
  return {
    name: `listener-${index}`,
    address: { socketAddress: { address: "127.0.0.1", portValue: 20_000 + index } },
    filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
  };
}

/** What Envoy says of all of them together; `REFUSED` and why when it takes them not. */
async function validate(virtualHosts: readonly Json[]): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "lateen-envoy-"));
  try {
    const path = join(work, "bootstrap.json");
    await writeFile(path, JSON.stringify({ staticResources: { listeners: virtualHosts.map(listener) } }));
    const { stderr } = await promisify(execFile)(
      requireTool("envoy"),
      ["--mode", "validate", "-c", path, "--log-level", "warn", "--disable-hot-restart"],
      { timeout: 60_000 },
    );
    return stderr;
  } catch (error) {
    return `REFUSED ${(error as { stderr?: string }).stderr ?? String(error)}`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

test("Envoy accepts every golden virtual host", { skip: skipWithout("envoy") }, async () => {
  const hosts = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")).virtualHost as Json),
  );
  assert.ok(hosts.length > 0);
  const said = await validate(hosts);
  assert.doesNotMatch(said, /REFUSED|deprecated/i, said);
});

test("Envoy would refuse a virtual host that is wrong", { skip: skipWithout("envoy") }, async () => {
  const wrong = { name: "a", domains: ["a"], routes: [{ match: { prefix: "/" }, route: { cluster: "" } }] };
  assert.match(await validate([wrong]), /REFUSED/);
});
