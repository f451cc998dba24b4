import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithout } from "../../../test/harness/tools.ts";
import { validateBootstrap } from "../../../test/harness/validate-envoy.ts";
import { listenerOf } from "./testing/listener-of.ts";

type Json = { [key: string]: unknown };

const folder = join(import.meta.dirname, "golden");
const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();

/** What Envoy says of all of them together. */
async function validate(virtualHosts: readonly Json[]): Promise<string> {
  const listeners = virtualHosts.map((host, index) => listenerOf(20_000 + index, [host]));
  return await validateBootstrap({ staticResources: { listeners } });
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
