import assert from "node:assert/strict";
import { test } from "node:test";
import { isRenewalOverdue, renewAtMs, renewalDelayMs } from "./rotation.ts";

test("renewal falls between 50 and 70 % of the life, as chance has it", () => {
  assert.equal(renewAtMs(1000, 2000, 0), 1500);
  assert.equal(renewAtMs(1000, 2000, 0.5), 1600);
  assert.equal(renewAtMs(1000, 2000, 0.999_999), 1700);
});

test("from 90 % on there is no waiting", () => {
  assert.equal(isRenewalOverdue(1000, 2000, 1899), false);
  assert.equal(isRenewalOverdue(1000, 2000, 1900), true);
  const validity = { notBeforeMs: 1000, notAfterMs: 2000 };
  assert.equal(renewalDelayMs(validity, 1000, 0), 500);
  assert.equal(renewalDelayMs(validity, 1650, 0), 0);
  assert.equal(renewalDelayMs(validity, 1950, 0.9), 0);
  assert.equal(renewalDelayMs(validity, 3000, 0.9), 0);
});

test("a clock that went back does not make the wait longer than the life", () => {
  assert.equal(renewalDelayMs({ notBeforeMs: 1000, notAfterMs: 2000 }, 900, 0), 600);
});
