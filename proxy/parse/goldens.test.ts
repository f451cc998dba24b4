import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { finish } from "../../mesh/lifecycle/slices.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { compileRouteTable } from "../tables/route-table.ts";
import { parseCluster } from "./cluster.ts";
import { parseLoadAssignment } from "./endpoints.ts";
import { parseListener } from "./listener.ts";
import { parseOnDemandHost, parseRouteConfiguration, readRouteConfiguration } from "./route.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const folder = join(import.meta.dirname, "../../controlplane/translate");

/** Whatever the control plane emits, this proxy takes, but for what is named below: the two are made for each other. */
const PARSERS = {
  cluster: parseCluster,
  endpoints: parseLoadAssignment,
  listener: parseListener,
  route: (bytes: Uint8Array, name: string) =>
    finish(compileRouteTable(finish(parseRouteConfiguration(bytes, name)))),
  virtualHost: (bytes: Uint8Array, name: string) => finish(parseOnDemandHost(bytes, name)),
} as const;

/** Why a resource of a golden file is refused, and how many are. What is no longer refused must leave the list. */
const NOT_IMPLEMENTED: Readonly<Record<string, { readonly reason: RegExp; readonly count: number }>> = {
  "golden/envoy-filter": { reason: /http filter "before-cors"/, count: 1 },
};

/** Patches' goldens tell differences, not resources. */
const files = globSync("**/golden/*.json", { cwd: folder, exclude: ["patches/**"] });
for (const file of files.sort()) {
  const name = file.replace(/\.json$/, "");
  const golden = JSON.parse(readFileSync(join(folder, file), "utf8")) as Record<string, JsonValue>;
  const expected = NOT_IMPLEMENTED[name];
  test(`accepts golden ${name}${expected ? `, but for ${expected.count}` : ""}`, () => {
    let count = 0;
    const refusals: string[] = [];
    for (const [kind, parse] of Object.entries(PARSERS)) {
      for (const resource of [golden[kind] ?? []].flat()) {
        count++;
        const refusal = refusalOf(kind as keyof typeof PARSERS, parse, resource);
        if (refusal !== undefined) refusals.push(refusal);
      }
    }
    assert.ok(count > 0, `${file} holds no resources: has its form changed?`);
    assert.equal(refusals.length, expected?.count ?? 0, refusals.join("\n"));
    for (const refusal of refusals) assert.match(refusal, expected?.reason ?? /^$/);
  });
}

function refusalOf(
  kind: keyof typeof PARSERS,
  parse: (bytes: Uint8Array, name: string) => unknown,
  resource: JsonValue,
): string | undefined {
  const named = resource as { readonly name?: string; readonly clusterName?: string };
  try {
    parse(json.jsonToResource(TYPE_URL[kind], resource), named.name ?? named.clusterName ?? "");
    return undefined;
  } catch (error) {
    assert.ok(error instanceof MeshError && error.code === "proxy.unsupported", String(error));
    return error.message;
  }
}

test("everything that is not implemented belongs to a golden file", () => {
  const files = new Set(globSync("**/golden/*.json", { cwd: folder }));
  for (const name of Object.keys(NOT_IMPLEMENTED)) assert.ok(files.has(`${name}.json`), name);
});

test("routes that are decoded one by one are those that are decoded at once", () => {
  let count = 0;
  for (const file of files) {
    const golden = JSON.parse(readFileSync(join(folder, file), "utf8")) as Record<string, JsonValue>;
    for (const resource of [golden["route"] ?? []].flat()) {
      const { name } = resource as { readonly name: string };
      const bytes = json.jsonToResource(TYPE_URL.route, resource);
      const atOnce = readRouteConfiguration(`route configuration ${name}`, RouteConfiguration.decode(bytes));
      assert.deepEqual(finish(parseRouteConfiguration(bytes, name)), atOnce);
      count += atOnce.virtualHosts.length;
    }
  }
  assert.ok(count > 40, `${count} virtual hosts`);
});
