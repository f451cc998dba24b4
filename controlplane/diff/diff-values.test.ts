import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldChange } from "../../mesh/admin-api/replies.ts";
import { diffValues } from "./diff-values.ts";

const cases: readonly {
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly want: readonly FieldChange[];
}[] = [
  { name: "equal values", before: { a: [1, { b: 2 }] }, after: { a: [1, { b: 2 }] }, want: [] },
  {
    name: "a field that is another",
    before: { a: { b: 1, c: 2 } },
    after: { a: { b: 3, c: 2 } },
    want: [{ path: "a.b", before: 1, after: 3 }],
  },
  {
    name: "fields that come and go",
    before: { a: 1 },
    after: { b: null },
    want: [
      { path: "a", before: 1 },
      { path: "b", after: null },
    ],
  },
  {
    name: "lists, entry by entry",
    before: [{ w: 90 }, { w: 10 }],
    after: [{ w: 50 }, { w: 10 }, { w: 40 }],
    want: [
      { path: "[0].w", before: 90, after: 50 },
      { path: "[2]", after: { w: 40 } },
    ],
  },
  {
    name: "a value of another form",
    before: { a: { b: 1 } },
    after: { a: [1] },
    want: [{ path: "a", before: { b: 1 }, after: [1] }],
  },
  {
    name: "a key that is no name",
    before: {},
    after: { "end-user": "x" },
    want: [{ path: '["end-user"]', after: "x" }],
  },
];
for (const { name, before, after, want } of cases) {
  test(`the difference of ${name}`, () => assert.deepEqual(diffValues(before, after), want));
}
