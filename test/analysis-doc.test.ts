import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CODES } from "../controlplane/analyze/codes.ts";

test("docs/analysis.md explains each code of an analysis with its level, and no other", () => {
  const page = readFileSync("docs/analysis.md", "utf8");
  const explained = [...page.matchAll(/^\| `([A-Z]+\d+)` \| (\w+) \|/gm)].map(([, code, level]) => [
    code,
    level,
  ]);
  assert.deepEqual(explained, Object.entries(CODES));
});
