import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ruleFor } from "../policy/policy.ts";
import { configOf } from "./testing/admission-bench.ts";

const PAGE = readFileSync("docs/nomad-inject.md", "utf8");

/** The last parts of keys that can be set, as a page that lists several in a row has them. */
function keysOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const below = keysOf(inner);
    return below.length > 0 ? below : [key];
  });
}

test("docs/nomad-inject.md names every key of nomad.yaml that has a default", () => {
  const keys = [...keysOf(configOf({})), ...keysOf(ruleFor("any", []))];
  assert.ok(keys.length > 20);
  const named = new Set(
    [...PAGE.matchAll(/`([\w.[\]]+)`/g)].flatMap(([, path = ""]) => path.split(/[.[\]]+/)),
  );
  assert.deepEqual(
    keys.filter((key) => !named.has(key)),
    [],
  );
});

test("the example of docs/nomad-inject.md is a configuration", () => {
  const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(PAGE) ?? [];
  const config = configOf({}, example.replace("Uo3…", "Uo3c1Cq9v6x6bqk2m0yQ8hYw2a4b6d8f0h2j4l6n8p0"));
  assert.deepEqual(ruleFor("prod-eu", config.rules).injection, "required");
  assert.deepEqual(ruleFor("elsewhere", config.rules).injection, "asked");
});
