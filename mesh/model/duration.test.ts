import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "./duration.ts";

const good: Readonly<Record<string, number>> = {
  "2s": 2000,
  "500ms": 500,
  "1m30s": 90_000,
  "1h": 3_600_000,
  "1.5h": 5_400_000,
  "0.1s": 100,
  "1.1s": 1100,
  "1s500ms": 1500,
  "1000us": 1,
  "1000µs": 1,
  "1000000ns": 1,
  "0": 0,
  "0s": 0,
  "0.001s": 1,
};

for (const [text, ms] of Object.entries(good)) {
  test(`${text} is ${ms} ms`, () => assert.deepEqual(parseDuration(text), { ms }));
}

const bad: Readonly<Record<string, string>> = {
  "": "is not a duration",
  "5": "did you mean `5s`?",
  "5 s": "is not a duration",
  "1.s.": "is not a duration",
  "1d": "is not a duration",
  "+1s": "is not a duration",
  "1s ": "is not a duration",
  "-1s": "must not be negative",
  "1us": "whole number of milliseconds",
  "1.0001s": "whole number of milliseconds",
  "999999999h": "is too long",
  ["1s".repeat(1000)]: "is not a duration",
};

for (const [text, problem] of Object.entries(bad)) {
  test(`${JSON.stringify(text.slice(0, 20))} ${problem}`, () => {
    const parsed = parseDuration(text);
    assert.ok("problem" in parsed && parsed.problem.includes(problem), JSON.stringify(parsed));
  });
}
