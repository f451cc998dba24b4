import assert from "node:assert/strict";
import { test } from "node:test";
import type { LocalityLoadBalancing } from "../../mesh/model/destination-rule.ts";
import {
  ANYWHERE,
  labelLevel,
  localityMatches,
  localitySetting,
  type Placement,
  placementOf,
  weighsLocalities,
} from "./locality.ts";

function setting(over: Partial<LocalityLoadBalancing> = {}): LocalityLoadBalancing {
  return { enabled: true, distribute: [], failover: [], failoverPriority: [], ...over };
}

function place(locality: string, labels: Readonly<Record<string, string>> = {}, network = ""): Place {
  return { locality, labels, network };
}
type Place = Parameters<typeof placementOf>[2];

const off = setting({ enabled: false });
const on = setting();
const other = setting({ failover: [{ from: "eu", to: "us" }] });

const settings: readonly (readonly [
  string,
  ReturnType<typeof localitySetting>,
  ...Parameters<typeof localitySetting>,
])[] = [
  ["neither says anything: Istio's default is on", on, undefined, undefined],
  ["the mesh's holds where the rule says nothing", other, undefined, other],
  ["the rule's goes before the mesh's", on, on, other],
  ["the mesh turns it off", undefined, undefined, off],
  ["the rule turns it off", undefined, off, other],
  ["the rule turns it on again", on, on, off],
];
for (const [name, want, rule, mesh] of settings) {
  test(`locality setting in force: ${name}`, () => assert.deepEqual(localitySetting(rule, mesh), want));
}

const patterns: readonly (readonly [string, string, boolean])[] = [
  ["*", "eu/a/1", true],
  ["*", "", true],
  ["eu/*", "eu/a/1", true],
  ["eu/*", "us/a/1", false],
  ["eu/a/*", "eu/a", true],
  ["eu/a/*", "eu/b/1", false],
  ["eu/a/1", "eu/a/1", true],
  ["eu/a/1", "eu/a/2", false],
  ["eu", "eu/a/2", true],
  ["eu/a", "eu", false],
];
for (const [pattern, locality, want] of patterns) {
  test(`${pattern} ${want ? "covers" : "does not cover"} "${locality}"`, () =>
    assert.equal(localityMatches(pattern, locality), want));
}

const ALL = ["eu/a/1", "eu/a/2", "eu/b/1", "us/a/1", "ap/a/1"];
const byLocality = (...levels: readonly number[]): Placement => ({
  kind: "levels",
  byLabels: [],
  byLocality: Object.fromEntries(ALL.map((name, index) => [name, levels[index] ?? 0])),
});

interface Case {
  readonly name: string;
  readonly given: LocalityLoadBalancing | undefined;
  readonly outliers?: boolean;
  readonly from: string;
  readonly localities?: readonly string[];
  readonly want: Placement;
}

const placements: readonly Case[] = [
  { name: "off", given: undefined, from: "eu/a/1", want: ANYWHERE },
  {
    name: "no failover without outlier detection",
    given: other,
    outliers: false,
    from: "eu/a/1",
    want: ANYWHERE,
  },
  { name: "subzone, zone, region, elsewhere", given: on, from: "eu/a/1", want: byLocality(0, 1, 2, 3, 3) },
  { name: "levels without gaps", given: on, from: "us/b/1", want: byLocality(1, 1, 1, 0, 1) },
  { name: "everything is equally far", given: on, from: "sa/a/1", want: ANYWHERE },
  { name: "a client without a locality", given: on, from: "", want: ANYWHERE },
  { name: "failover names the next region", given: other, from: "eu/a/1", want: byLocality(0, 1, 2, 3, 4) },
  { name: "failover for another region", given: other, from: "us/a/1", want: byLocality(1, 1, 1, 0, 1) },
  { name: "all endpoints in one place", given: on, from: "eu/a/1", localities: ["us/a/1"], want: ANYWHERE },
  {
    name: "distribute for this client",
    given: setting({
      distribute: [
        { from: "us/*", to: { "us/*": 100 } },
        { from: "eu/a/*", to: { "eu/*": 20, "eu/a/1": 80 } },
      ],
    }),
    outliers: false,
    from: "eu/a/1",
    want: {
      kind: "shares",
      shares: [
        { pattern: "eu/a/1", percent: 80 },
        { pattern: "eu/*", percent: 20 },
      ],
    },
  },
  {
    name: "distribute for others only, where failover does not count either",
    given: setting({ distribute: [{ from: "us/*", to: { "us/*": 100 } }] }),
    from: "eu/a/1",
    want: ANYWHERE,
  },
  {
    name: "labels instead of localities",
    given: setting({ failoverPriority: ["topology.kubernetes.io/region", "rack", "tier=gold"] }),
    from: "eu/a/1",
    want: {
      kind: "levels",
      byLabels: [
        { key: "topology.kubernetes.io/region", value: "eu" },
        { key: "rack", value: "r1" },
        { key: "tier", value: "gold" },
      ],
      byLocality: undefined,
    },
  },
  {
    name: "labels before localities",
    given: setting({ failoverPriority: ["rack"], failover: [{ from: "eu", to: "us" }] }),
    from: "eu/a/1",
    want: { ...byLocality(0, 1, 2, 3, 4), byLabels: [{ key: "rack", value: "r1" }] } as Placement,
  },
];
for (const { name, given, outliers = true, from, localities = ALL, want } of placements) {
  test(`placement: ${name}`, () =>
    assert.deepEqual(placementOf(given, outliers, place(from, { rack: "r1" }), localities), want));
}

const wanted = [
  { key: "topology.istio.io/network", value: "n1" },
  { key: "topology.kubernetes.io/region", value: "eu" },
  { key: "rack", value: "" },
];
const labelled: readonly (readonly [string, Place, number])[] = [
  ["everything as wanted", place("eu/a", {}, "n1"), 0],
  ["the last is another", place("eu/a", { rack: "r9" }, "n1"), 1],
  ["the second is another, whatever the last is", place("us/a", {}, "n1"), 2],
  ["the first is missing", place("eu/a"), 3],
];
for (const [name, endpoint, want] of labelled) {
  test(`level by labels: ${name}`, () => assert.equal(labelLevel(wanted, endpoint), want));
}

const weighing: readonly (readonly [string, LocalityLoadBalancing | undefined, boolean, boolean])[] = [
  ["off", undefined, true, false],
  ["failover by default", on, true, false],
  ["failover that is written, without outlier detection", other, false, false],
  ["failover that is written", other, true, true],
  ["labels", setting({ failoverPriority: ["rack"] }), true, true],
  ["distribute", setting({ distribute: [{ from: "*", to: { "*": 100 } }] }), false, true],
];
for (const [name, given, outliers, want] of weighing) {
  test(`localities ${want ? "are" : "are not"} weighed: ${name}`, () =>
    assert.equal(weighsLocalities(given, outliers), want));
}
