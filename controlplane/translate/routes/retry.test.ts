import assert from "node:assert/strict";
import { test } from "node:test";
import { retryPolicy } from "./retry.ts";

const DEFAULT = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

const cases: readonly {
  readonly name: string;
  readonly given: Parameters<typeof retryPolicy>[0];
  readonly want: readonly [string, number, readonly number[]] | undefined;
}[] = [
  { name: "nothing said", given: undefined, want: [DEFAULT, 2, []] },
  {
    name: "no attempts",
    given: { attempts: 0, perTryTimeoutMs: undefined, retryOn: "5xx" },
    want: undefined,
  },
  {
    name: "only attempts",
    given: { attempts: 5, perTryTimeoutMs: undefined, retryOn: "" },
    want: [DEFAULT, 5, []],
  },
  {
    name: "status codes among the conditions",
    given: { attempts: 1, perTryTimeoutMs: 10, retryOn: "reset, 503 ,504" },
    want: ["reset,retriable-status-codes", 1, [503, 504]],
  },
];
for (const { name, given, want } of cases) {
  test(`retries when: ${name}`, () => {
    const policy = retryPolicy(given);
    assert.deepEqual(policy && [policy.retryOn, policy.numRetries, policy.retriableStatusCodes], want);
    if (given?.perTryTimeoutMs) assert.deepEqual(policy?.perTryTimeout, { seconds: 0, nanos: 10_000_000 });
  });
}
