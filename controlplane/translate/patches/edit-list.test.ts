import assert from "node:assert/strict";
import { test } from "node:test";
import type { PatchOperation } from "../../../mesh/model/envoy-filter.ts";
import { editList } from "./edit-list.ts";

const is = (wanted: string) => (item: string) => item === wanted;

/** What becomes of `a b b c` with `x`: where `b` is chosen, where what is not there is, where nothing is. */
const cases: readonly (readonly [PatchOperation, string, string, string])[] = [
  ["ADD", "a b b c x", "a b b c x", "a b b c x"],
  ["INSERT_FIRST", "x a b b c", "x a b b c", "x a b b c"],
  ["INSERT_BEFORE", "a x b b c", "a b b c", "x a b b c"],
  ["INSERT_AFTER", "a b x b c", "a b b c", "a b b c x"],
  ["REPLACE", "a x b c", "a b b c", "a b b c"],
  ["REMOVE", "a c", "a b b c", "a b b c"],
  ["MERGE", "a b b c", "a b b c", "a b b c"],
];

for (const [operation, ...want] of cases) {
  test(`${operation} in a list`, () => {
    const items = ["a", "b", "b", "c"];
    const value = operation === "REMOVE" ? undefined : "x";
    const got = [is("b"), is("z"), undefined].map((chosen) =>
      editList(items, { operation, value, chosen }).join(" "),
    );
    assert.deepEqual(got, want);
    assert.deepEqual(items, ["a", "b", "b", "c"], "the list itself stays");
  });
}
