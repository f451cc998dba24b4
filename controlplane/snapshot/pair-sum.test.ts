import assert from "node:assert/strict";
import { test } from "node:test";
import { PairSum } from "./pair-sum.ts";

test("the sum follows both sides, in any order, and is nothing when all has gone", () => {
  const sum = new PairSum();
  sum.addLeft("a", 3);
  assert.equal(sum.total, 0);
  sum.addRight("a", 5);
  sum.addRight("b", 7);
  assert.equal(sum.total, 15);
  sum.addLeft("b", 2);
  sum.addLeft("a", 1);
  assert.equal(sum.total, 34);
  sum.addRight("a", -5);
  sum.addLeft("b", -2);
  assert.equal(sum.total, 0);
  sum.addRight("a", 1);
  assert.equal(sum.total, 4);
});
