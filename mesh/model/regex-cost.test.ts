import assert from "node:assert/strict";
import { test } from "node:test";
import { RE2JS } from "re2js";
import { regexCost } from "./regex-cost.ts";

const PATTERNS = [
  "abc",
  "a{1000}",
  "(a{10}){100}",
  "((ab){3}c){7}",
  "(?:a|b){1,50}x{2,}",
  "[a-z]{1,63}(\\.[a-z]{1,63}){0,10}",
  "[(]a{100}[)]",
  "(aaaaaaaaaa[(]){100}",
  "(aaaaaaaaaa[]()]){100}",
  "(aaaaaaaaaa[^])(]){100}",
  "(aaaaaaaaaa[[:alpha:](]){100}",
  "(aaaaaaaaaa\\(){100}",
  "(aaaaaaaaaa\\Q(\\E){100}",
  "(aaaaaaaaaa[\\]()]){100}",
  "\\Qaaaaaaaaaa\\E",
  "\\pL{300}",
  "(?i)(a|b|c)*[^d]+",
  "a{,5}",
  "{}",
  "(?P<name>a{20})\\d{3}",
];

for (const pattern of PATTERNS) {
  test(`the cost of ${pattern} is not less than its size, and not ten times more`, () => {
    // Three instructions belong to every program: its two ends and its failure.
    const size = RE2JS.compile(pattern).programSize();
    const cost = regexCost(pattern);
    assert.ok(cost >= size * 0.8 - 3, `${cost} for ${size}`);
    assert.ok(cost <= size * 10 + 10, `${cost} for ${size}`);
  });
}

test("brackets that do not pair cost something too", () => {
  for (const pattern of ["(", ")", "((((a{100}", "a)))){100}", "[a", "[(", "\\"])
    assert.ok(Number.isFinite(regexCost(pattern)) && regexCost(pattern) >= 0, pattern);
});
