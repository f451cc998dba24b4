import assert from "node:assert/strict";
import { test } from "node:test";
import { choosePriority, priorityLoads } from "./priority-loads.ts";
import { slowStartFactor } from "./slow-start.ts";

// The tables of Envoy's documentation ("Priority levels", "Panic threshold"), of 100 hosts each.
for (const { healthy, shares, panics = [] } of [
  { healthy: [100, 100], shares: [100, 0] },
  { healthy: [72, 72], shares: [100, 0] },
  { healthy: [71, 71], shares: [99, 1] },
  { healthy: [50, 50], shares: [70, 30] },
  { healthy: [25, 100], shares: [35, 65] },
  { healthy: [0, 100], shares: [0, 100] },
  // Less than all is left: what there is is shared in proportion, and who has too little panics.
  { healthy: [25, 25], shares: [50, 50], panics: [true, true] },
  { healthy: [5, 65], shares: [7, 93], panics: [true, false] },
  { healthy: [20, 20, 10], shares: [33, 33, 33], panics: [true, true, true] },
  { healthy: [0, 0], shares: [50, 50], panics: [true, true] },
]) {
  test(`with ${healthy.join(", ")} of 100 healthy the shares are ${shares.join(", ")}`, () => {
    const loads = priorityLoads(
      healthy.map((count) => ({ total: 100, healthy: count })),
      50,
    );
    for (const [index, share] of shares.entries())
      assert.ok(Math.abs((loads.shares[index] ?? 0) - share) <= 1, loads.shares.join());
    assert.deepEqual(
      loads.levels.map(({ panic }) => panic),
      panics.length > 0 ? panics : shares.map(() => false),
    );
  });
}

test("without a threshold nobody panics, and nobody is there for the requests", () => {
  const loads = priorityLoads([{ total: 4, healthy: 0 }], 0);
  assert.deepEqual(loads, { levels: [{ health: 0, panic: false }], shares: [100] });
});

test("a point leads to the priority whose share it is in", () => {
  assert.deepEqual(
    [0, 69.9, 70, 99.9, 100].map((point) => choosePriority([70, 0, 30], point)),
    [0, 0, 2, 2, 0],
  );
});

for (const { ageMs, aggression, minimumPercent, want } of [
  { ageMs: 0, aggression: 1, minimumPercent: 10, want: 0.1 },
  { ageMs: 0, aggression: 1, minimumPercent: 1, want: 0.01 },
  { ageMs: 50_000, aggression: 1, minimumPercent: 10, want: 0.5 },
  { ageMs: 25_000, aggression: 2, minimumPercent: 10, want: 0.5 },
  { ageMs: 100_000, aggression: 2, minimumPercent: 10, want: 1 },
]) {
  test(`after ${ageMs / 1000} s of 100 a new endpoint gets ${want} of its weight (aggression ${aggression})`, () => {
    assert.equal(slowStartFactor({ windowMs: 100_000, aggression, minimumPercent }, ageMs), want);
  });
}
