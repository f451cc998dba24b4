import assert from "node:assert/strict";
import { test } from "node:test";
import type { RetryPolicy } from "../model/route.ts";
import { type AttemptEnd, wantsRetry } from "./retry.ts";

type Condition = RetryPolicy["on"] extends ReadonlySet<infer C> ? C : never;

const ENDS = {
  "no connection": { kind: "connect-failure" },
  "a reset before the request was sent": { kind: "reset", requestSent: false, refused: false },
  "a reset after it was sent": { kind: "reset", requestSent: true, refused: false },
  "a stream that was refused": { kind: "reset", requestSent: true, refused: true },
  "an attempt that took too long": { kind: "per-try-timeout" },
} as const satisfies Readonly<Record<string, AttemptEnd>>;

/** Which ends without an answer each condition retries, measured with Envoy 1.40 where the wire tests reach them. */
const TABLE: Readonly<Partial<Record<Condition, readonly (keyof typeof ENDS)[]>>> = {
  "connect-failure": ["no connection"],
  "reset-before-request": ["no connection", "a reset before the request was sent"],
  reset: [
    "no connection",
    "a reset before the request was sent",
    "a reset after it was sent",
    "a stream that was refused",
    "an attempt that took too long",
  ],
  "refused-stream": ["a stream that was refused"],
  "retriable-status-codes": [],
};

for (const [condition, retried] of Object.entries(TABLE)) {
  test(`${condition} retries ${retried.join(", ") || "nothing that has no answer"}`, () => {
    const policy: RetryPolicy = {
      on: new Set([condition as Condition]),
      retries: 2,
      statusCodes: new Set(),
      responseHeaders: [],
      perTryTimeoutMs: 0,
      backoffBaseMs: 25,
      backoffMaxMs: 250,
      avoidPreviousHosts: false,
      avoidPrioritiesAfter: 0,
    };
    const seen = Object.entries(ENDS).filter(([, end]) => wantsRetry(policy, end));
    assert.deepEqual(
      seen.map(([name]) => name),
      retried,
    );
  });
}
