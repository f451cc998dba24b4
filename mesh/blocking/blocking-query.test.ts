import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CatalogAnswer, CatalogClient } from "./blocking-client.ts";
import { type BlockingQueryDeps, blockingQuery, QUERY_TIMING, type QueryEvent } from "./blocking-query.ts";
import { Gate } from "./gate.ts";
import { IndexEpoch } from "./index-epoch.ts";
import { TokenQueue } from "./token-queue.ts";

type Asked = Parameters<CatalogClient["get"]>[0];

/** Runs a query against answers given in advance; sleeping takes no time and is written down. */
async function ask(
  answers: readonly (CatalogAnswer | MeshError)[],
  timing: Partial<BlockingQueryDeps["timing"]> = {},
): Promise<{
  readonly asked: readonly Asked[];
  readonly events: readonly QueryEvent<unknown>[];
  readonly slept: readonly number[];
}> {
  const stop = new AbortController();
  const asked: Asked[] = [];
  const slept: number[] = [];
  const left = [...answers];
  const client: CatalogClient = {
    async get(request) {
      asked.push(request);
      const next = left.shift();
      if (next === undefined) stop.abort();
      if (next === undefined || next instanceof MeshError) throw next ?? new Error("no more");
      return next;
    },
  };
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: async (ms) => void slept.push(ms),
  };
  // No refill to wait for: what is slept is back-off alone.
  const patient = { ...QUERY_TIMING, refillMs: 0, ...timing };
  const limit = new TokenQueue(clock, 1, 0);
  const epoch = new IndexEpoch(clock, 0);
  const deps = { client, clock, random: () => 1, timing: patient, gate: new Gate(1), limit, epoch };
  const events: QueryEvent<unknown>[] = [];
  const question = { path: "/x", parse: (body: unknown) => body };
  for await (const event of blockingQuery(deps, question, stop.signal)) events.push(event);
  return { asked, events, slept: slept.filter((ms) => ms > 0) };
}

const failure = new MeshError("registry.unavailable", "down");

test("the first request does not wait, the next wait for something newer", async () => {
  const { asked } = await ask([
    { index: 7, body: "a" },
    { index: 9, body: "b" },
  ]);
  assert.deepEqual(asked, [
    { path: "/x", timeoutMs: 10_000 },
    { path: "/x", query: { index: "7", wait: "60000ms" }, timeoutMs: 73_750 },
    { path: "/x", query: { index: "9", wait: "60000ms" }, timeoutMs: 73_750 },
  ]);
});

test("a catalog is never asked to wait for more than ten minutes", async () => {
  const { asked } = await ask([{ index: 7, body: "a" }], { waitMs: 3_600_000 });
  assert.equal(asked[1]?.query?.["wait"], "600000ms");
});

test("an index that goes backwards is told, and the next request starts over", async () => {
  const { asked, events } = await ask([
    { index: 7, body: "a" },
    { index: 3, body: "b" },
    { index: 3, body: "b" },
  ]);
  assert.deepEqual(
    events.map((event) => event.kind === "answer" && event.rewound),
    [false, true, false],
  );
  assert.deepEqual(
    asked.map(({ query }) => query?.["index"]),
    [undefined, "7", undefined, "3"],
  );
});

test("after a failure the next request takes things as they are, and its answer is a recovery", async () => {
  const { asked, events } = await ask([{ index: 7, body: "a" }, failure, { index: 8, body: "b" }]);
  assert.deepEqual(
    asked.map(({ query }) => query?.["index"]),
    [undefined, "7", undefined, "8"],
  );
  assert.deepEqual(events[2], { kind: "answer", value: "b", index: 8, rewound: false, recovered: true });
});

test("an index that went backwards over a failure is noticed all the same", async () => {
  const { events } = await ask([{ index: 7, body: "a" }, failure, { index: 2, body: "b" }]);
  assert.deepEqual(events[2], { kind: "answer", value: "b", index: 2, rewound: true, recovered: true });
});

test("an answer without a usable index is a failure", async () => {
  for (const index of [0, undefined]) {
    const { events } = await ask([{ index, body: "a" }]);
    assert.equal(events[0]?.kind, "failed");
  }
});

test("retries back off, and an answer starts that over", async () => {
  const { slept } = await ask([failure, failure, failure, { index: 1, body: "a" }, failure]);
  assert.deepEqual(slept, [250, 500, 1_000, 250]);
});

test("an index that goes backwards in one query makes the others ask anew, without waiting and without a failure", async () => {
  const stop = new AbortController();
  const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  const epoch = new IndexEpoch(clock, 0);
  const timing = { ...QUERY_TIMING, refillMs: 0 };
  const limit = new TokenQueue(clock, 1, 0);
  const asked: (string | undefined)[] = [];
  const waiting = Promise.withResolvers<void>();
  const client: CatalogClient = {
    get: ({ query }, signal) => {
      asked.push(query?.["index"]);
      if (query === undefined)
        return Promise.resolve({ index: asked.length === 1 ? 40 : 3, body: asked.length });
      waiting.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    },
  };
  const deps = { client, clock, random: () => 1, timing, gate: new Gate(1), limit, epoch };
  const query = blockingQuery(deps, { path: "/x", parse: (body) => body }, stop.signal);
  assert.equal((await query.next()).value?.kind, "answer");
  const next = query.next();
  await waiting.promise;
  epoch.end();
  assert.deepEqual((await next).value, {
    kind: "answer",
    value: 3,
    index: 3,
    rewound: true,
    recovered: false,
  });
  assert.deepEqual(asked, [undefined, "40", undefined]);
  assert.equal(epoch.number, 1, "what goes backwards with the others ends nothing again");
  stop.abort();
});

test("an epoch ends at most once in its rest, and who comes after the end waits with an index of its own", () => {
  let now = 0;
  const epoch = new IndexEpoch({ monotonic: () => now }, 100);
  const { over } = epoch;
  epoch.end();
  assert.ok(over.aborted && !epoch.over.aborted);
  now = 99;
  epoch.end();
  assert.equal(epoch.number, 1);
  now = 100;
  epoch.end();
  assert.equal(epoch.number, 2);
});
