import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../lifecycle/clock.ts";
import { TokenQueue } from "./token-queue.ts";

test("many callers at once pass in their order at the pace of the bucket, and one that was told to stop costs nothing", async () => {
  let elapsed = 0;
  const clock: Clock = {
    now: () => elapsed,
    monotonic: () => elapsed,
    // Who was let through has gone on before the next one is.
    sleep: async (ms) => {
      await setImmediate();
      elapsed += ms;
    },
  };
  const queue = new TokenQueue(clock, 2, 10);
  const passed: string[] = [];
  const never = new AbortController().signal;
  const callers = ["a", "b", "c", "d", "e", "f"].map(async (name) => {
    await queue.take(name === "d" ? AbortSignal.abort() : never);
    passed.push(`${name} ${elapsed}`);
  });
  await Promise.all(callers);
  assert.deepEqual(passed.toSorted(), ["a 0", "b 0", "c 10", "d 0", "e 20", "f 30"]);
});

test("one that is told to stop while others wait before it goes at once", async () => {
  const forever = Promise.withResolvers<void>();
  const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: () => forever.promise };
  const queue = new TokenQueue(clock, 1, 10);
  const never = new AbortController().signal;
  await queue.take(never);
  const before = queue.take(never);
  const stop = new AbortController();
  const behind = queue.take(stop.signal);
  stop.abort();
  await behind;
  forever.resolve();
  await before;
});
