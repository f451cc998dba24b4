import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupMembership, PlacedWorkload } from "../../mesh/model/workload.ts";
import type { WorkloadGroupSpec } from "../../mesh/model/workload-group.ts";
import { objects, workload } from "../../test/fakes/sample-mesh.ts";
import { admitWorkload } from "../attest/admit-workload.ts";
import { UNBOUND } from "../attest/agent-binding.ts";
import { type Grouped, type GroupVersions, judgeGroup } from "./apply-group.ts";

function group(spec: string): WorkloadGroupSpec {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: web }
spec: ${spec}
`;
  return objects(yaml)[0]?.spec as WorkloadGroupSpec;
}

const FULL = group(`
  metadata: { labels: { app: shop, tier: front, version: v9 }, annotations: { note: x } }
  template:
    labels: { tier: none, from: template }
    serviceAccount: shopper
    network: dmz
    locality: eu/north
    weight: 7
    ports: { web: 9080 }`);

const ALL_DEFAULT: GroupMembership["defaulted"] = ["serviceAccount", "weight", "app"];

function judge(
  over: Partial<PlacedWorkload>,
  defaulted: GroupMembership["defaulted"],
  versions: Partial<GroupVersions>,
  serviceAccounts?: readonly string[],
): Grouped {
  const binding = serviceAccounts === undefined ? UNBOUND : { ...UNBOUND, serviceAccounts };
  return judgeGroup(
    workload("reviews", over),
    { name: "web", defaulted, applied: undefined },
    { now: undefined, last: undefined, ...versions },
    (made) => admitWorkload({ binding, banned: false }, made),
  );
}

/** What a group decides of a workload. */
function facts(judged: Grouped): Record<string, unknown> {
  assert.ok(judged.ok);
  const { serviceAccount, labels, weight, locality, network } = judged.workload;
  return { serviceAccount, labels, weight, locality, network };
}

test("a workload that says nothing is as its group says, metadata before template", () => {
  assert.deepEqual(facts(judge({}, ALL_DEFAULT, { now: FULL })), {
    serviceAccount: "shopper",
    labels: { app: "shop", from: "template", tier: "front", version: "v9" },
    weight: 7,
    locality: "eu/north",
    network: "dmz",
  });
});

test("what a workload says itself wins", () => {
  const own = {
    serviceAccount: "me",
    labels: { app: "own", version: "v1" },
    weight: 2,
    locality: "us",
    network: "core",
  };
  assert.deepEqual(facts(judge(own, [], { now: FULL })), {
    ...own,
    labels: { app: "own", from: "template", tier: "front", version: "v1" },
  });
});

test("a group that says nothing leaves the defaults", () => {
  assert.deepEqual(facts(judge({}, ALL_DEFAULT, { now: group("{ template: {} }") })), {
    serviceAccount: "reviews",
    labels: { app: "reviews" },
    weight: 1,
    locality: "",
    network: "",
  });
});

test("a workload of a group that was never there is refused", () => {
  const judged = judge({}, ALL_DEFAULT, {});
  assert.match(judged.ok ? "" : judged.reason, /WorkloadGroup default\/web does not exist: create it/);
});

test("when a group goes, what it said last stays, and that is told", () => {
  const judged = judge({}, ALL_DEFAULT, { last: FULL });
  assert.equal(facts(judged)["serviceAccount"], "shopper");
  assert.match((judged.ok && judged.problem) || "", /does not exist.*what it said before stays in force/);
});

test("a group gives nobody a service account that its agent may not have", () => {
  const refused = judge({}, ALL_DEFAULT, { now: FULL }, ["reviews"]);
  assert.match(refused.ok ? "" : refused.reason, /as its WorkloadGroup default\/web says.*reviews only/);
  const last = group("{ template: { serviceAccount: reviews, locality: old } }");
  const kept = judge({}, ALL_DEFAULT, { now: FULL, last }, ["reviews"]);
  assert.deepEqual([facts(kept)["serviceAccount"], facts(kept)["locality"]], ["reviews", "old"]);
  assert.match((kept.ok && kept.problem) || "", /reviews only; what it said before stays/);
  assert.equal(judge({}, ALL_DEFAULT, { now: FULL, last: FULL }, ["reviews"]).ok, false);
});

test("its last word gives nobody one either", () => {
  assert.equal(judge({}, ALL_DEFAULT, { last: FULL }, ["reviews"]).ok, false);
});

test("a group that says what a workload cannot be is not in force", () => {
  for (const [spec, reason] of [
    [
      `{ template: { serviceAccount: ${"a".repeat(40)}.${"a".repeat(40)} } }`,
      /cannot be part of an identity/,
    ],
    ["{ template: { weight: 4294967295 } }", /weight must be at most/],
  ] as const) {
    const judged = judge({}, ALL_DEFAULT, { now: group(spec) });
    assert.match(judged.ok ? "" : judged.reason, reason);
  }
});
