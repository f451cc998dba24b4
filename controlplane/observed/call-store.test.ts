import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CountedCalls, httpCallKind } from "../../mesh/calls/call-kind.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import { LogBook } from "../../test/harness/mesh-log.ts";
import { CallHistory } from "./call-history.ts";
import { CallStore } from "./call-store.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 2, 3, 30);

function calls(target: string, atMs: number, over: Partial<CountedCalls> = {}): CountedCalls {
  const call = {
    source: "spiffe://d/a",
    port: 9080,
    method: "GET",
    host: "web",
    issuer: "",
    details: "",
    target,
  };
  return { ...httpCallKind(call), count: 1, firstSeenMs: atMs, lastSeenMs: atMs, ...over };
}

async function databasePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-observed-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "observed.db");
}

/** A history on that file, as after a restart at that time. */
async function restarted(
  path: string,
  nowMs: number,
  most?: number,
): Promise<{ readonly kept: CallHistory; readonly clock: { nowMs: number }; readonly store: CallStore }> {
  const clock = { nowMs };
  const store = await CallStore.open(path, nowMs, silentLogger);
  const keeping = { store, logger: silentLogger };
  return {
    clock,
    store,
    kept: new CallHistory({ now: () => clock.nowMs, sleep: async () => {} }, most, keeping),
  };
}

test("a restart forgets nothing that was kept, and counts on", async (t) => {
  const path = await databasePath(t);
  const before = await restarted(path, START);
  const web = workload("web");
  before.kept.add(web, {
    calls: [calls("/a", START, { count: 3 }), calls("/b", START, { denied: true })],
    leftOut: 7,
  });
  await before.kept.save();
  before.clock.nowMs += HOUR;
  before.kept.add(web, { calls: [calls("/a", START + HOUR, { count: 2 })], leftOut: 0 });
  await before.kept.save();
  const told = before.kept.since(0);
  before.store[Symbol.dispose]();

  const after = await restarted(path, START + 2 * HOUR);
  t.after(() => after.store[Symbol.dispose]());
  assert.deepEqual(after.kept.since(0), told);
  assert.equal(after.kept.size, 2);
  after.kept.add(web, { calls: [calls("/a", START + 2 * HOUR)], leftOut: 0 });
  const [one] = after.kept.since(0);
  assert.equal(one?.calls.find(({ path: at }) => at === "/a")?.count, 6);
  assert.equal(one?.leftOut, 7);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("what is older than a day is neither read nor kept", async (t) => {
  const path = await databasePath(t);
  const before = await restarted(path, START);
  before.kept.add(workload("old"), { calls: [calls("/old", START)], leftOut: 1 });
  await before.kept.save();
  before.clock.nowMs += 23 * HOUR;
  before.kept.add(workload("web"), { calls: [calls("/new", before.clock.nowMs)], leftOut: 0 });
  await before.kept.save();
  before.store[Symbol.dispose]();
  const after = await restarted(path, START + 26 * HOUR);
  t.after(() => after.store[Symbol.dispose]());
  assert.deepEqual(
    after.kept.since(0).map(({ workload: of, calls: all }) => [of.name, all.length]),
    [["web-1", 1]],
  );
  await after.kept.save();
  assert.deepEqual(
    after.store.load().map(({ workload: of }) => of.name),
    ["web-1"],
  );
});

test("a full history is read back as far as there is room, and only what is new is written", async (t) => {
  const path = await databasePath(t);
  const before = await restarted(path, START);
  for (let i = 0; i < 50; i++)
    before.kept.add(workload(`w${i}`), { calls: [calls("/a", START), calls("/b", START)], leftOut: 0 });
  await before.kept.save();
  const written: number[] = [];
  const save = before.store.save.bind(before.store);
  before.store.save = (changed) => {
    written.push(changed.reduce((sum, one) => sum + one.calls.length, 0));
    return save(changed);
  };
  before.kept.add(workload("w3"), { calls: [calls("/b", START)], leftOut: 0 });
  await before.kept.save();
  await before.kept.save();
  assert.deepEqual(written, [1, 0]);
  before.store[Symbol.dispose]();
  const after = await restarted(path, START, 30);
  t.after(() => after.store[Symbol.dispose]());
  assert.equal(after.kept.size, 30);
});

test("a disk that takes nothing keeps nothing from going on, and gets it all later", async (t) => {
  const path = await databasePath(t);
  const store = await CallStore.open(path, START, silentLogger);
  t.after(() => store[Symbol.dispose]());
  const log = new LogBook("server");
  let isFull = true;
  const full = {
    load: () => store.load(),
    forgetBefore: (hour: number) => store.forgetBefore(hour),
    *save(changed: Parameters<CallStore["save"]>[0]) {
      if (isFull) throw new Error("database or disk is full");
      yield* store.save(changed);
    },
  };
  const kept = new CallHistory({ now: () => START, sleep: async () => {} }, undefined, {
    store: full,
    logger: log.logger,
  });
  kept.add(workload("web"), { calls: [calls("/a", START)], leftOut: 0 });
  await kept.save();
  assert.match(log.text, /could not be kept on disk.*full/);
  assert.deepEqual(store.load(), []);
  isFull = false;
  await kept.save();
  assert.equal(store.load()[0]?.calls.length, 1);
});

test("a file that is damaged is put aside, and what makes no sense in a good one is passed over", async (t) => {
  const path = await databasePath(t);
  await writeFile(path, "no database at all, and long enough to be looked at".repeat(50), { mode: 0o600 });
  const log = new LogBook("server");
  const store = await CallStore.open(path, START, log.logger);
  assert.match(log.text, /cannot be read: it begins anew/);
  assert.ok((await readdir(join(path, ".."))).some((name) => name.startsWith("observed.db.corrupt-")));
  const kind = httpCallKind({
    source: "",
    port: 1,
    method: "",
    host: "",
    issuer: "",
    details: "",
    target: "/",
  });
  const good = { kind, firstSeenMs: 1, lastSeenMs: 2, hours: [{ hour: 1, count: 1 }] };
  const odd = { ...good, kind: { ...kind, path: "/odd" }, hours: [{ hour: 1, count: -1 }] };
  for (const _ of store.save([{ workload: workload("web"), calls: [good, odd], leftOut: [] }]));
  assert.deepEqual(
    store.load().map(({ calls: all }) => all),
    [[good]],
  );
  store[Symbol.dispose]();
});
