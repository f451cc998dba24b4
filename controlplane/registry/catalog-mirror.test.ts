import assert from "node:assert/strict";
import { test } from "node:test";
import { CatalogMirror } from "./catalog-mirror.ts";
import { anInstance } from "./registry.contract.ts";

const TIMING = { settleMs: 100, outageSettleMs: 15_000, graceMs: 600_000 };
const QUIET = { rewound: false, recovered: false };

function answer(
  ids: readonly string[],
  refused: readonly string[] = [],
): Parameters<CatalogMirror["apply"]>[1] {
  return {
    instances: ids.map((id) => anInstance({ id })),
    refused: new Map(refused.map((id) => [id, undefined])),
    problems: [],
  };
}

function mirrorWith(services: Readonly<Record<string, readonly string[]>>): CatalogMirror {
  const mirror = new CatalogMirror(TIMING);
  for (const [service, ids] of Object.entries(services))
    mirror.apply(service, answer(ids), { now: 0, ...QUIET });
  return mirror;
}

function ids(mirror: CatalogMirror, service: string): readonly string[] {
  return mirror.instancesOf(service).map(({ id }) => id);
}

test("what comes counts at once, what goes after the settling time", () => {
  const mirror = mirrorWith({ web: ["a", "b"] });
  mirror.apply("web", answer(["b", "c"]), { now: 1_000, ...QUIET });
  assert.deepEqual(ids(mirror, "web"), ["b", "c", "a"]);
  assert.equal(mirror.dueAt(false), 1_100);
  assert.deepEqual([...mirror.judge(1_099, false)], []);
  assert.deepEqual([...mirror.judge(1_100, false)], ["web"]);
  assert.deepEqual(ids(mirror, "web"), ["b", "c"]);
});

test("what is back within the settling time was never gone", () => {
  const mirror = mirrorWith({ web: ["a", "b"] });
  mirror.apply("web", answer(["b"]), { now: 0, ...QUIET });
  mirror.apply("web", answer(["a", "b"]), { now: 50, ...QUIET });
  assert.equal(mirror.dueAt(false), undefined);
  assert.equal(mirror.size, 2);
});

test("three or more and over half of all in one step are held, across services", () => {
  const mirror = mirrorWith({ a: ["1"], b: ["2"], c: ["3"], d: ["4", "5"] });
  for (const service of ["a", "b", "c"]) mirror.apply(service, answer([]), { now: 10, ...QUIET });
  assert.deepEqual([...mirror.judge(110, false)], []);
  assert.deepEqual(
    mirror.held.map(({ id }) => id),
    ["1", "2", "3"],
  );
  assert.equal(mirror.size, 5);
});

test("half is not over half, and two are not three", () => {
  const half = mirrorWith({ a: ["1", "2", "3"], b: ["4", "5", "6"] });
  half.apply("a", answer([]), { now: 0, ...QUIET });
  half.judge(100, false);
  assert.equal(half.size, 3);
  const two = mirrorWith({ a: ["1", "2"] });
  two.apply("a", answer([]), { now: 0, ...QUIET });
  two.judge(100, false);
  assert.equal(two.size, 0);
});

test("what trickles in after a loss is held too", () => {
  const mirror = mirrorWith({ a: ["1", "2", "3"], b: ["4"] });
  mirror.apply("a", answer([]), { now: 0, ...QUIET });
  mirror.judge(100, false);
  mirror.apply("b", answer([]), { now: 300, ...QUIET });
  mirror.judge(400, false);
  assert.equal(mirror.held.length, 4);
  assert.equal(mirror.size, 4);
});

test("after an outage removals wait for the other queries, but not for ever", () => {
  const mirror = mirrorWith({ a: ["1", "2"], b: ["3"] });
  mirror.apply("a", answer(["1"]), { now: 0, rewound: false, recovered: true });
  assert.equal(mirror.dueAt(true), 15_000);
  assert.equal(mirror.dueAt(false), 100);
  mirror.judge(15_000, true);
  assert.equal(mirror.size, 2);
});

test("what a rewound Consul forgot is held, be it one", () => {
  const mirror = mirrorWith({ a: ["1", "2", "3", "4"] });
  mirror.apply("a", answer(["1", "2", "3"]), { now: 0, rewound: true, recovered: false });
  assert.deepEqual(mirror.held, [{ service: "a", id: "4" }]);
  mirror.apply("a", answer(["1", "2", "3", "4"]), { now: 1, ...QUIET });
  assert.deepEqual(mirror.held, []);
});

test("when most is back, what is still missing is let go after the time of grace", () => {
  const mirror = mirrorWith({ a: ["1", "2", "3"] });
  mirror.apply("a", answer([]), { now: 0, ...QUIET });
  mirror.judge(100, false);
  assert.equal(mirror.dueAt(false), undefined);
  mirror.apply("a", answer(["1", "2"]), { now: 5_000, ...QUIET });
  assert.equal(mirror.dueAt(false), 605_000);
  assert.deepEqual([...mirror.judge(605_000, false)], ["a"]);
  assert.deepEqual(ids(mirror, "a"), ["1", "2"]);
});

test("a refused instance stays as it was known, an unknown one does not come", () => {
  const mirror = mirrorWith({ a: ["1", "2"] });
  mirror.apply("a", answer(["1"], ["2", "9"]), { now: 0, ...QUIET });
  assert.equal(mirror.dueAt(false), undefined);
  assert.deepEqual(ids(mirror, "a"), ["1", "2"]);
});

test("an operator's word lets go of all that is held", () => {
  const mirror = mirrorWith({ a: ["1", "2", "3"] });
  mirror.apply("a", answer([]), { now: 0, ...QUIET });
  mirror.judge(100, false);
  assert.deepEqual([...mirror.release()], ["a"]);
  assert.equal(mirror.size, 0);
});
