import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentCount } from "./recent-count.ts";

test("what happened counts for as long as was asked, and no tenth longer", () => {
  const count = new RecentCount(1000);
  for (const nowMs of [50, 60, 450]) count.note(nowMs);
  const seen = [460, 999, 1001, 1399, 1400, 9000].map((nowMs) => count.at(nowMs));
  assert.deepEqual(seen, [3, 3, 1, 1, 0, 0]);
});

test("after a long silence it begins anew", () => {
  const count = new RecentCount(1000);
  for (let times = 0; times < 50; times++) count.note(times);
  count.note(1_000_000);
  assert.equal(count.at(1_000_001), 1);
});
