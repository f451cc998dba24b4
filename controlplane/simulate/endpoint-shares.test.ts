import assert from "node:assert/strict";
import { test } from "node:test";
import { type BalancerSettings, type Candidate, endpointShares } from "./endpoint-shares.ts";

const PLAIN: BalancerSettings = { panicThreshold: 50, overprovisioning: 140, localityWeighted: false };

const one = (over: Partial<Candidate> = {}): Candidate => ({
  priority: 0,
  group: 0,
  groupWeight: 1,
  weight: 1,
  healthy: true,
  ...over,
});
const ill = (over: Partial<Candidate> = {}): Candidate => one({ healthy: false, ...over });

interface Case {
  readonly name: string;
  readonly candidates: readonly Candidate[];
  readonly settings?: Partial<BalancerSettings>;
  /** Percent. */
  readonly want: readonly number[];
}

const cases: readonly Case[] = [
  { name: "nobody", candidates: [], want: [] },
  { name: "equal weights", candidates: [one(), one()], want: [50, 50] },
  { name: "weights", candidates: [one({ weight: 3 }), one()], want: [75, 25] },
  { name: "the unhealthy get nothing", candidates: [one(), one(), ill()], want: [50, 50, 0] },
  { name: "a healthy first priority takes all", candidates: [one(), one({ priority: 1 })], want: [100, 0] },
  {
    name: "a priority fails over in the measure of its health",
    candidates: [one(), ill(), one({ priority: 1 })],
    want: [70, 0, 30],
  },
  {
    name: "over-provisioning covers for a few",
    candidates: [one(), one(), one(), ill(), one({ priority: 1 })],
    want: [100 / 3, 100 / 3, 100 / 3, 0, 0],
  },
  { name: "a priority without health", candidates: [ill(), one({ priority: 1 })], want: [0, 100] },
  { name: "all unhealthy: panic sends to all", candidates: [ill(), ill()], want: [50, 50] },
  {
    name: "all unhealthy and no panic: nobody",
    candidates: [ill(), ill()],
    settings: { panicThreshold: 0 },
    want: [0, 0],
  },
  { name: "too few healthy ones: panic", candidates: [one(), ill(), ill(), ill()], want: [25, 25, 25, 25] },
  {
    name: "too few healthy ones and no panic",
    candidates: [one(), ill(), ill(), ill()],
    settings: { panicThreshold: 0 },
    want: [100, 0, 0, 0],
  },
  {
    name: "localities share by their weights",
    candidates: [
      one({ groupWeight: 80 }),
      one({ group: 1, groupWeight: 20 }),
      one({ group: 1, groupWeight: 20 }),
    ],
    settings: { localityWeighted: true },
    want: [80, 10, 10],
  },
  {
    name: "a locality that is half unhealthy gives some away",
    candidates: [
      one({ groupWeight: 50 }),
      ill({ groupWeight: 50 }),
      one({ group: 1, groupWeight: 50 }),
      one({ group: 1, groupWeight: 50 }),
    ],
    settings: { localityWeighted: true },
    want: [(0.7 / 1.7) * 100, 0, 50 / 1.7, 50 / 1.7],
  },
  {
    name: "localities without weights share by their endpoints",
    candidates: [one(), one({ group: 1 }), one({ group: 1 })],
    want: [100 / 3, 100 / 3, 100 / 3],
  },
];

for (const { name, candidates, settings, want } of cases) {
  test(`shares of endpoints: ${name}`, () => {
    const shares = endpointShares(candidates, { ...PLAIN, ...settings });
    const rounded = (values: readonly number[]): number[] => values.map((value) => Number(value.toFixed(6)));
    assert.deepEqual(rounded(shares.map((share) => share * 100)), rounded(want));
  });
}
