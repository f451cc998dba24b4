import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { compileRouteTable } from "../tables/route-table.ts";
import { parseCluster } from "./cluster.ts";
import { parseLoadAssignment } from "./endpoints.ts";
import { parseListener } from "./listener.ts";
import { parseRouteConfiguration } from "./route.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const folder = join(import.meta.dirname, "../../controlplane/translate/golden");

/** Whatever the control plane emits, this proxy takes: the two are made for each other. */
const PARSERS = {
  cluster: parseCluster,
  endpoints: parseLoadAssignment,
  listener: parseListener,
  route: (bytes: Uint8Array, name: string) => compileRouteTable(parseRouteConfiguration(bytes, name)),
} as const;

for (const file of globSync("*.json", { cwd: folder }).sort()) {
  const golden = JSON.parse(readFileSync(join(folder, file), "utf8")) as Record<string, JsonValue[]>;
  test(`accepts everything of golden ${basename(file, ".json")}`, () => {
    let count = 0;
    for (const [kind, parse] of Object.entries(PARSERS)) {
      const type = TYPE_URL[kind as keyof typeof PARSERS];
      for (const resource of golden[kind] ?? []) {
        const named = resource as { readonly name?: string; readonly clusterName?: string };
        assert.doesNotThrow(() =>
          parse(json.jsonToResource(type, resource), named.name ?? named.clusterName ?? ""),
        );
        count++;
      }
    }
    assert.ok(count > 0, `${file} holds no resources: has its form changed?`);
  });
}
