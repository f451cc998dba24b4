import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonValue } from "../../../mesh/xds/json.ts";
import { Random } from "../../../test/harness/random.ts";
import { diffValues } from "../../diff/diff-values.ts";
import { applyPatches, type PatchedResource } from "./testing/apply-patches.ts";
import { json } from "./testing/base-resources.ts";
import { CLUSTER_CASES, OTHER_CASES } from "./testing/cluster-cases.ts";
import { HTTP_FILTER_CASES, NETWORK_FILTER_CASES } from "./testing/filter-cases.ts";
import { FILTER_CHAIN_CASES, LISTENER_CASES, LISTENER_FILTER_CASES } from "./testing/listener-cases.ts";
import type { PatchCase } from "./testing/patch-case.ts";
import { HTTP_ROUTE_CASES, ROUTE_CONFIGURATION_CASES, VIRTUAL_HOST_CASES } from "./testing/route-cases.ts";

const ROUNDS = 300;

const TABLES: readonly (readonly [string, readonly PatchCase[]])[] = [
  ["listener", LISTENER_CASES],
  ["listener-filter", LISTENER_FILTER_CASES],
  ["filter-chain", FILTER_CHAIN_CASES],
  ["network-filter", NETWORK_FILTER_CASES],
  ["http-filter", HTTP_FILTER_CASES],
  ["route-configuration", ROUTE_CONFIGURATION_CASES],
  ["virtual-host", VIRTUAL_HOST_CASES],
  ["http-route", HTTP_ROUTE_CASES],
  ["cluster", CLUSTER_CASES],
  ["other", OTHER_CASES],
];

/** What a patch does to a resource: its fields before and after; the whole of what is new. */
function told({ type, before, after }: PatchedResource): JsonValue {
  if (after === undefined) return "removed";
  const printed = json.resourceToJson(type, after.bytes);
  if (before === undefined) return { added: printed };
  return diffValues(byName(json.resourceToJson(type, before.bytes)), byName(printed)).map(
    ({ path, before: was = null, after: is = null }) => ({ [path]: [was as JsonValue, is as JsonValue] }),
  );
}

/** Lists of what has names as their order and their items, so that an insertion is told as one. */
function byName(value: JsonValue): JsonValue {
  if (value === null || typeof value !== "object") return value;
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, byName(field)]));
  const names = value.map((item) => nameOf(item));
  if (names.some((name) => name === undefined)) return value.map(byName);
  return {
    order: names.join(" "),
    ...Object.fromEntries(value.map((item) => [nameOf(item), byName(item)])),
  };
}

function nameOf(item: JsonValue): string | undefined {
  if (item === null || typeof item !== "object" || Array.isArray(item)) return undefined;
  return typeof item["name"] === "string" ? item["name"] : undefined;
}

for (const [name, cases] of TABLES) {
  test(`EnvoyFilter patches: ${name}`, (t) => {
    const golden: { [name: string]: JsonValue } = {};
    for (const { name, patches, role, nothing = false } of cases) {
      const { resources, warnings, problems } = applyPatches(patches, role);
      assert.equal(resources.length === 0, nothing, `${name}: resources are changed`);
      golden[name] = {
        ...Object.fromEntries(resources.map((one) => [one.name, told(one)])),
        ...(warnings.length === 0 ? {} : { warnings: warnings.map(({ message }) => message) }),
        ...(problems.length === 0 ? {} : { problems: problems.map(({ reason }) => reason) }),
      };
    }
    t.assert.fileSnapshot(golden, join(import.meta.dirname, `golden/${name}.json`));
  });
}

test("any patches in any order leave resources that can be read", () => {
  const pool = TABLES.flatMap(([, cases]) => cases.flatMap(({ patches }) => patches));
  let changed = 0;
  const random = new Random(1);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const patches = Array.from({ length: 1 + random.below(8) }, () => random.pick(pool));
    for (const { type, after } of applyPatches(patches, random.chance(0.25) ? "gateway" : "sidecar")
      .resources) {
      if (after === undefined) continue;
      changed += 1;
      const printed = json.resourceToJson(type, after.bytes);
      assert.deepEqual(nameOf(printed), after.name, `round ${round}: a resource keeps its name`);
    }
  }
  assert.ok(changed > ROUNDS, `only ${changed} resources were changed`);
});
