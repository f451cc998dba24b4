import assert from "node:assert/strict";
import { test } from "node:test";
import { type CountedCalls, httpCallKind } from "../../mesh/calls/call-kind.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import { CallHistory } from "./call-history.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 2, 3, 30);
const WEB = workload("web");

function calls(target: string, atMs: number, over: Partial<CountedCalls> = {}): CountedCalls {
  const call = { source: "", port: 9080, method: "GET", host: "web", issuer: "", details: "", target };
  return { ...httpCallKind(call), count: 1, firstSeenMs: atMs, lastSeenMs: atMs, ...over };
}

function history(most?: number): { readonly kept: CallHistory; readonly clock: { nowMs: number } } {
  const clock = { nowMs: START };
  const kept = new CallHistory({ now: () => clock.nowMs, sleep: async () => {} }, most);
  return { kept, clock };
}

const told = (kept: CallHistory, sinceMs: number): readonly (readonly [string, number])[] =>
  kept.since(sinceMs).flatMap((one) => one.calls.map(({ path, count }) => [path, count] as const));

test("calls are summed over reports, and of an old time only what is younger is told", () => {
  const { kept, clock } = history();
  kept.add(WEB, { calls: [calls("/a", START, { count: 3 }), calls("/old", START)], leftOut: 0 });
  clock.nowMs += 5 * HOUR;
  kept.add(WEB, { calls: [calls("/a", clock.nowMs, { count: 4 })], leftOut: 2 });
  assert.deepEqual(told(kept, START), [
    ["/a", 7],
    ["/old", 1],
  ]);
  assert.deepEqual(told(kept, clock.nowMs - HOUR), [["/a", 4]]);
  assert.deepEqual(
    kept.since(START).map(({ leftOut }) => leftOut),
    [2],
  );
});

test("what is a day old is forgotten, with its workload", () => {
  const { kept, clock } = history();
  kept.add(WEB, { calls: [calls("/a", START), calls("/b", START)], leftOut: 1 });
  clock.nowMs += 23 * HOUR;
  kept.add(WEB, { calls: [calls("/a", clock.nowMs)], leftOut: 0 });
  clock.nowMs += 2 * HOUR;
  kept.forgetOld();
  assert.deepEqual(told(kept, 0), [["/a", 1]]);
  assert.equal(kept.size, 1);
  clock.nowMs += 24 * HOUR;
  kept.forgetOld();
  assert.deepEqual([kept.since(0), kept.size], [[], 0]);
});

test("10^5 paths of one caller stay bounded over any number of reports, and all are counted", () => {
  const { kept } = history();
  for (let round = 0; round < 100; round++) {
    const some = Array.from({ length: 1000 }, (_, i) => calls(`/${round}/${i}`, START));
    kept.add(WEB, { calls: some, leftOut: 0 });
  }
  assert.ok(kept.size <= 96, `${kept.size}`);
  const [one] = kept.since(0);
  assert.equal((one?.calls ?? []).reduce((sum, { count }) => sum + count, 0) + (one?.leftOut ?? 0), 100_000);
});

test("a full history goes on counting what it has, and says how much it leaves out", () => {
  const { kept } = history(2);
  kept.add(WEB, { calls: [calls("/a", START), calls("/b", START)], leftOut: 0 });
  kept.add(workload("late"), { calls: [calls("/c", START, { count: 5 })], leftOut: 0 });
  kept.add(WEB, { calls: [calls("/a", START)], leftOut: 0 });
  assert.deepEqual(told(kept, 0), [
    ["/a", 2],
    ["/b", 1],
  ]);
  assert.deepEqual(
    kept.since(0).map(({ leftOut }) => leftOut),
    [0, 5],
  );
  assert.equal(kept.size, 2);
});
