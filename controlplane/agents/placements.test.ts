import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Workload } from "../../mesh/model/workload.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { PLAIN_SIDECAR } from "../../test/fakes/sample-mesh.ts";
import { openDatabase } from "../store/database.ts";
import { type PlacementChange, Placements } from "./placements.ts";

const HOUR_MS = 3_600_000;

function workload(name: string, changes: Partial<Workload> = {}): Workload {
  return {
    name,
    namespace: "default",
    service: name,
    serviceAccount: name,
    labels: { version: "v1" },
    ports: [],
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    ...PLAIN_SIDECAR,
    dataPlane: "builtin",
    catalog: undefined,
    group: undefined,
    ...changes,
  };
}

function subject(database = openDatabase(":memory:"), clock = new ManualClock()) {
  const placements = new Placements(database, clock);
  const told: PlacementChange[][] = [];
  const stop = new AbortController();
  placements.onChange((changes) => told.push([...changes]), stop.signal);
  return { placements, clock, database, told, stop };
}

test("an agent's report is its whole set: workloads come, change and go, and the changes are told", () => {
  const { placements, told } = subject();
  placements.replace("a", [workload("one"), workload("two")]);
  placements.replace("a", [workload("two", { healthy: false }), workload("three")]);
  assert.deepEqual(
    told.map((changes) => changes.map(({ id, before, after }) => [id, before?.healthy, after?.healthy])),
    [
      [
        ["default/one", undefined, true],
        ["default/two", undefined, true],
      ],
      [
        ["default/two", true, false],
        ["default/three", undefined, true],
        ["default/one", true, undefined],
      ],
    ],
  );
  assert.deepEqual(
    placements
      .ofAgent("a")
      .map(({ name }) => name)
      .sort(),
    ["three", "two"],
  );
  assert.equal(placements.get("default/one"), undefined);
});

test("what did not change is not told and stays the same object", () => {
  const { placements, told } = subject();
  placements.replace("a", [workload("one")]);
  const before = placements.get("default/one");
  placements.replace("a", [workload("one")]);
  assert.equal(told.length, 1);
  assert.equal(placements.get("default/one"), before);
});

test("the first registration time stays through changes and restarts", () => {
  const { placements, clock, database } = subject();
  const first = clock.now();
  placements.replace("a", [workload("one")]);
  clock.advance(5000);
  placements.replace("a", [workload("one", { weight: 5 })]);
  assert.equal(placements.get("default/one")?.registeredAt, first);
  const restarted = subject(database, clock);
  assert.equal(restarted.placements.get("default/one")?.registeredAt, first);
  assert.deepEqual(restarted.placements.list(), placements.list());
  restarted.placements.replace("a", [workload("one", { weight: 5 })]);
  assert.deepEqual(restarted.told, []);
});

test("of two agents that claim one workload, the one with a live stream keeps it", () => {
  const { placements } = subject();
  const stream = placements.connect("a");
  placements.replace("a", [workload("one")]);
  const other = placements.connect("b");
  assert.deepEqual(placements.replace("b", [workload("one"), workload("two")]), [
    { workload: "default/one", reason: "it is registered by the agent a" },
  ]);
  assert.equal(placements.get("default/one")?.agentId, "a");
  assert.equal(placements.get("default/two")?.agentId, "b");
  stream[Symbol.dispose]();
  assert.deepEqual(placements.replace("b", [workload("one"), workload("two")]), []);
  assert.equal(placements.get("default/one")?.agentId, "b");
  assert.deepEqual(placements.ofAgent("a"), []);
  other[Symbol.dispose]();
});

test("an agent with two streams is live until both have gone, however often they are closed", () => {
  const { placements } = subject();
  const one = placements.connect("a");
  const two = placements.connect("a");
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  assert.equal(placements.isLive("a"), true);
  two[Symbol.dispose]();
  assert.equal(placements.isLive("a"), false);
});

test("the workloads of an agent that is gone for an hour are dropped; a live one's stay", () => {
  const { placements, clock } = subject();
  const stays = placements.connect("live");
  placements.replace("live", [workload("one")]);
  const goes = placements.connect("gone");
  placements.replace("gone", [workload("two")]);
  goes[Symbol.dispose]();
  clock.advance(HOUR_MS - 1);
  placements.forgetGone();
  assert.equal(placements.list().length, 2);
  clock.advance(1);
  placements.forgetGone();
  assert.deepEqual(
    placements.list().map(({ name }) => name),
    ["one"],
  );
  stays[Symbol.dispose]();
});

test("a restart gives every agent its hour again, and coming back ends the count", () => {
  const { placements, clock, database } = subject();
  placements.replace("a", [workload("one")]);
  placements.replace("b", [workload("two")]);
  clock.advance(2 * HOUR_MS);
  const { placements: restarted } = subject(database, clock);
  clock.advance(HOUR_MS / 2);
  restarted.forgetGone();
  assert.equal(restarted.list().length, 2);
  const stream = restarted.connect("a");
  clock.advance(HOUR_MS);
  restarted.forgetGone();
  stream[Symbol.dispose]();
  assert.deepEqual(
    restarted.list().map(({ name }) => name),
    ["one"],
  );
});

test("run drops what is due and returns when it is told to stop", async () => {
  const { placements, clock, stop } = subject();
  placements.replace("a", [workload("one")]);
  placements.connect("a")[Symbol.dispose]();
  const running = placements.run(stop.signal);
  clock.advance(HOUR_MS);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(placements.list(), []);
  stop.abort();
  await running;
});

test("nobody is told after the signal, and what the disk does not take is not told at all", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lateen-placements-"));
  try {
    const { placements, told, stop, database } = subject(openDatabase(join(directory, "lateen.db")));
    database.close();
    assert.throws(() => placements.replace("a", [workload("one")]), { code: "store.failed" });
    assert.deepEqual([told, placements.list()], [[], []]);
    stop.abort();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
