import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

const policy = { firstMs: 100, maxMs: 5000 };

const cases = [
  { name: "the first retry waits half the first window at least", attempt: 0, random: 0, want: 50 },
  { name: "the first retry waits the first window at most", attempt: 0, random: 1, want: 100 },
  { name: "the window doubles with each attempt", attempt: 3, random: 1, want: 800 },
  { name: "the window never exceeds the maximum", attempt: 12, random: 1, want: 5000 },
  { name: "half the maximum is the least of a long series", attempt: 12, random: 0, want: 2500 },
  { name: "a huge attempt does not overflow", attempt: 1_000_000, random: 0.5, want: 3750 },
];

for (const { name, attempt, random, want } of cases) {
  test(name, () => assert.equal(backoffMs(policy, attempt, random), want));
}

test("the delay is a whole number and stays in its window", () => {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    for (const random of [0, 0.123, 0.5, 0.999]) {
      const delay = backoffMs(policy, attempt, random);
      const window = Math.min(policy.maxMs, policy.firstMs * 2 ** attempt);
      assert.ok(Number.isInteger(delay) && delay >= window / 2 && delay <= window, `${attempt}: ${delay}`);
    }
  }
});
