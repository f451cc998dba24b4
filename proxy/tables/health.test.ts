import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthCheck } from "../model/health-check.ts";
import { type CheckOutcome, nextCheckMs, noteCheck, UNKNOWN_HEALTH } from "./health.ts";

const RULES: HealthCheck = {
  probe: { kind: "tcp", send: Buffer.alloc(0), receive: [] },
  timeoutMs: 1000,
  intervalMs: 10_000,
  unhealthyIntervalMs: 2_000,
  noTrafficIntervalMs: 60_000,
  initialJitterMs: 0,
  intervalJitterMs: 100,
  intervalJitterPercent: 10,
  unhealthyThreshold: 3,
  healthyThreshold: 2,
};

const cases: readonly { outcomes: readonly CheckOutcome[]; isWell: boolean }[] = [
  { outcomes: [], isWell: false },
  { outcomes: ["pass"], isWell: true },
  { outcomes: ["fail"], isWell: false },
  { outcomes: ["pass", "fail", "fail"], isWell: true },
  { outcomes: ["pass", "fail", "fail", "fail"], isWell: false },
  { outcomes: ["pass", "fail", "fail", "pass", "fail", "fail"], isWell: true },
  { outcomes: ["pass", "dead"], isWell: false },
  { outcomes: ["fail", "pass"], isWell: false },
  { outcomes: ["fail", "pass", "pass"], isWell: true },
  { outcomes: ["fail", "pass", "fail", "pass"], isWell: false },
];

for (const { outcomes, isWell } of cases) {
  test(`after ${outcomes.join(", ") || "nothing"} a host is ${isWell ? "well" : "not well"}`, () => {
    const health = outcomes.reduce((before, outcome) => noteCheck(before, outcome, RULES), UNKNOWN_HEALTH);
    assert.equal(health.isWell, isWell);
  });
}

test("the next check comes by what the host is and whether anybody calls, and later by chance", () => {
  assert.equal(nextCheckMs(RULES, { isWell: true }, true, 0), 10_000);
  assert.equal(nextCheckMs(RULES, { isWell: false }, true, 0), 2_000);
  assert.equal(nextCheckMs(RULES, { isWell: true }, false, 0), 60_000);
  assert.equal(nextCheckMs(RULES, { isWell: true }, true, 0.5), 10_000 + 0.5 * (100 + 1_000));
});
