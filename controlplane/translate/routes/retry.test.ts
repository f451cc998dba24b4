import assert from "node:assert/strict";
import { test } from "node:test";
import type { RetryPolicy } from "../../../mesh/model/virtual-service.ts";
import { retryPolicy } from "./retry.ts";

const DEFAULT = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const OTHER_HOST = ["envoy.retry_host_predicates.previous_hosts"];

function rule(fields: Partial<RetryPolicy>): RetryPolicy {
  return {
    attempts: 1,
    perTryTimeoutMs: undefined,
    retryOn: "",
    retryRemoteLocalities: false,
    retryIgnorePreviousHosts: undefined,
    backoffMs: undefined,
    ...fields,
  };
}

const conditions: readonly {
  readonly name: string;
  readonly given: RetryPolicy | undefined;
  readonly want: readonly [string, number, readonly number[]] | undefined;
}[] = [
  { name: "nothing said", given: undefined, want: [DEFAULT, 2, []] },
  { name: "no attempts", given: rule({ attempts: 0, retryOn: "5xx" }), want: undefined },
  { name: "only attempts", given: rule({ attempts: 5 }), want: [DEFAULT, 5, []] },
  {
    name: "status codes among the conditions",
    given: rule({ retryOn: "reset, 503 ,504" }),
    want: ["reset,retriable-status-codes", 1, [503, 504]],
  },
  { name: "status codes alone", given: rule({ retryOn: "503" }), want: ["retriable-status-codes", 1, [503]] },
];
for (const { name, given, want } of conditions) {
  test(`retries when: ${name}`, () => {
    const policy = retryPolicy(given, false);
    assert.deepEqual(policy && [policy.retryOn, policy.numRetries, policy.retriableStatusCodes], want);
  });
}

const hosts: readonly {
  readonly given: boolean | undefined;
  readonly hashed: boolean;
  readonly want: readonly string[];
}[] = [
  { given: undefined, hashed: false, want: OTHER_HOST },
  { given: undefined, hashed: true, want: [] },
  { given: true, hashed: true, want: OTHER_HOST },
  { given: false, hashed: false, want: [] },
];
for (const { given, hashed, want } of hosts) {
  const where = want.length > 0 ? "another host" : "any host";
  test(`retryIgnorePreviousHosts ${given}, ${hashed ? "hashed" : "not hashed"}: tries ${where}`, () => {
    const policy = retryPolicy(rule({ retryIgnorePreviousHosts: given }), hashed);
    assert.deepEqual(
      policy?.retryHostPredicate.map(({ name }) => name),
      want,
    );
    assert.equal(policy?.hostSelectionRetryMaxAttempts, 16);
  });
}

test("times and localities of retries are said only where the rule says them", () => {
  const said = retryPolicy(rule({ perTryTimeoutMs: 10, backoffMs: 20, retryRemoteLocalities: true }), false);
  assert.deepEqual(said?.perTryTimeout, { seconds: 0, nanos: 10_000_000 });
  assert.deepEqual(said?.retryBackOff?.baseInterval, { seconds: 0, nanos: 20_000_000 });
  assert.equal(said?.retryPriority?.name, "envoy.retry_priorities.previous_priorities");
  const silent = retryPolicy(rule({}), false);
  assert.deepEqual(
    [silent?.perTryTimeout, silent?.retryBackOff, silent?.retryPriority],
    [undefined, undefined, undefined],
  );
});
