import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const codes = [
  ...readFileSync("mesh/admin-api/host-finding.ts", "utf8").matchAll(/\| "(host\.[a-z-]+)"/g),
].map(([, code]) => code ?? "");

test("docs/host-findings.md explains each code and no other", () => {
  const page = readFileSync("docs/host-findings.md", "utf8");
  const explained = [...page.matchAll(/^\| `(host\.[a-z-]+)` \|/gm)].map(([, code]) => code);
  assert.ok(codes.length > 10, "the codes are found");
  assert.deepEqual(explained, codes);
});

test("each code is one that something is found under", () => {
  const sources = globSync("{agent,cli}/**/*.ts", { exclude: (path) => path.endsWith(".test.ts") });
  const text = sources.map((path) => readFileSync(path, "utf8")).join("\n");
  for (const code of codes) assert.ok(text.includes(`"${code}"`), `nothing is found under ${code}`);
});
