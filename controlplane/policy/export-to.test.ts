import assert from "node:assert/strict";
import { test } from "node:test";
import { visibility } from "./export-to.ts";

const cases: readonly (readonly [readonly string[], string, string | undefined])[] = [
  [[], "b", "public"],
  [["*"], "b", "public"],
  [["."], "a", "private"],
  [["."], "b", undefined],
  [["b"], "b", "exported"],
  [["b"], "c", undefined],
  [[".", "b"], "a", "private"],
  [[".", "b"], "b", "exported"],
  [["~"], "a", undefined],
];
for (const [exportTo, from, want] of cases) {
  test(`exportTo [${exportTo.join(", ")}] of namespace a is seen from ${from} as ${want}`, () => {
    assert.equal(visibility(exportTo, "a", from), want);
  });
}
