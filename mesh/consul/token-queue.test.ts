import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../lifecycle/clock.ts";
import { TokenQueue } from "./token-queue.ts";

test("many callers at once pass in their order at the pace of the bucket, and one that was told to stop costs nothing", async () => {
  let elapsed = 0;
  const clock: Clock = {
    now: () => elapsed,
    monotonic: () => elapsed,
    sleep: async (ms) => void (elapsed += ms),
  };
  const queue = new TokenQueue(clock, 2, 10);
  const passed: string[] = [];
  const never = new AbortController().signal;
  const callers = ["a", "b", "c", "d", "e", "f"].map(async (name) => {
    await queue.take(name === "d" ? AbortSignal.abort() : never);
    passed.push(`${name} ${elapsed}`);
  });
  await Promise.all(callers);
  assert.deepEqual(passed, ["a 0", "b 0", "c 10", "d 10", "e 20", "f 30"]);
});
