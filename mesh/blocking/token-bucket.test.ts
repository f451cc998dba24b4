import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../lifecycle/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Time that passes only by sleeping. */
function sleeper(): Clock & { elapsed: number } {
  return {
    elapsed: 0,
    now() {
      return this.elapsed;
    },
    monotonic() {
      return this.elapsed;
    },
    async sleep(ms, signal) {
      if (!signal.aborted) this.elapsed += ms;
    },
  };
}

test("a burst passes at once and then one in each refill time", async () => {
  const clock = sleeper();
  const bucket = new TokenBucket(clock, 2, 500);
  const times: number[] = [];
  for (let index = 0; index < 5; index++) {
    await bucket.take(new AbortController().signal);
    times.push(clock.elapsed);
  }
  assert.deepEqual(times, [0, 0, 500, 1000, 1500]);
});

test("rest fills it up to the burst and no further", async () => {
  const clock = sleeper();
  const bucket = new TokenBucket(clock, 2, 500);
  clock.elapsed = 60_000;
  for (let index = 0; index < 3; index++) await bucket.take(new AbortController().signal);
  assert.equal(clock.elapsed, 60_500);
});

test("an aborted signal waits for nothing", async () => {
  const clock = sleeper();
  const bucket = new TokenBucket(clock, 1, 500);
  for (let index = 0; index < 3; index++) await bucket.take(AbortSignal.abort());
  assert.equal(clock.elapsed, 0);
});
