import assert from "node:assert/strict";
import { test } from "node:test";
import { nextVerdict, UNASKED, type Verdict } from "./verdict.ts";

const READY: Verdict = { healthy: true, settled: true, against: 0, reason: "" };

/** The verdicts after each of `checks`, in which `+` is one that passes. */
function after(checks: string, successThreshold: number, failureThreshold: number, start: Verdict): string {
  let verdict = start;
  const told = checks.split("").map((check) => {
    const outcome = check === "+" ? ({ ok: true } as const) : ({ ok: false, reason: "no" } as const);
    verdict = nextVerdict(verdict, outcome, { successThreshold, failureThreshold });
    return verdict.healthy ? "+" : "-";
  });
  return told.join("");
}

test("one that was never asked is not ready before it has passed often enough in a row", () => {
  assert.equal(after("+", 1, 3, UNASKED), "+");
  assert.equal(after("++-+++", 3, 3, UNASKED), "-----+");
});

test("one that is ready stays so until it has failed often enough in a row", () => {
  assert.equal(after("--+---", 1, 3, READY), "+++++-");
  assert.equal(after("-", 1, 1, READY), "-");
});

test("one that comes and goes with each check stays what it was", () => {
  assert.equal(after("-+-+-+-+", 2, 2, READY), "++++++++");
  assert.equal(after("+-+-+-+-", 2, 2, UNASKED), "--------");
});

test("what an agent before this one held ends with the first failure, and is settled by the first pass", () => {
  const remembered = { ...READY, settled: false };
  assert.equal(after("-", 1, 3, remembered), "-");
  assert.equal(after("+--", 1, 3, remembered), "+++");
});

test("the reason of the last failure is told, and goes with it", () => {
  const failed = nextVerdict(
    READY,
    { ok: false, reason: "it answered 500" },
    {
      successThreshold: 1,
      failureThreshold: 3,
    },
  );
  assert.deepEqual([failed.healthy, failed.reason], [true, "it answered 500"]);
  assert.equal(nextVerdict(failed, { ok: true }, { successThreshold: 1, failureThreshold: 3 }).reason, "");
});
