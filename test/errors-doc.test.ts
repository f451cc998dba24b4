import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("docs/errors.md explains each error code and no other", () => {
  const source = readFileSync("mesh/errors.ts", "utf8");
  const union = source.slice(source.indexOf("export type ErrorCode"), source.indexOf("export interface"));
  const codes = [...union.matchAll(/\| "([a-z.-]+)"/g)].map((match) => match[1]);
  const page = readFileSync("docs/errors.md", "utf8");
  const explained = [...page.matchAll(/^\| `([a-z.-]+)` \|/gm)].map((match) => match[1]);
  assert.ok(codes.length > 20, "the codes are found");
  assert.deepEqual(explained, codes);
});
