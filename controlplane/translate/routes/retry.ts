import type { RetryPolicy as RetryRule } from "../../../mesh/model/virtual-service.ts";
import {
  RetryPolicy,
  type RetryPolicy_RetryHostPredicate,
  type RetryPolicy_RetryPriority,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { PreviousHostsPredicate } from "../../../mesh/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts";
import { PreviousPrioritiesConfig } from "../../../mesh/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts";
import { pack } from "../any.ts";
import { duration } from "../durations.ts";

const STATUS_CODES = "retriable-status-codes";

/** What is safe to repeat: the request was not taken, or the server says so. Istio's default. */
const DEFAULT_RETRY_ON = `connect-failure,refused-stream,unavailable,cancelled,${STATUS_CODES}`;
const DEFAULT_RETRIES = 2;

const NOT_THE_SAME_HOST: RetryPolicy_RetryHostPredicate = {
  name: "envoy.retry_host_predicates.previous_hosts",
  typedConfig: pack(
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    PreviousHostsPredicate,
    PreviousHostsPredicate.fromPartial({}),
  ),
};

/** Tries the localities that have not been tried, anew after every second try. */
const OTHER_LOCALITIES: RetryPolicy_RetryPriority = {
  name: "envoy.retry_priorities.previous_priorities",
  typedConfig: pack(
    "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    PreviousPrioritiesConfig,
    PreviousPrioritiesConfig.fromPartial({ updateFrequency: 2 }),
  ),
};

/**
 * How often a host is drawn anew when one is drawn that has failed already. Istio's 5 are too few where hosts are few: of
 * two the dead one has the fewest requests, is drawn three times of four, and a call in thirty would find nobody else.
 */
const OTHER_HOST_TRIES = 16;

/**
 * Undefined: no retries. Nothing said is the default; numbers among the conditions are status codes. Calls that a hash
 * sends to one host are sent there again, unless the rule says otherwise.
 */
export function retryPolicy(rule: RetryRule | undefined, hashed: boolean): RetryPolicy | undefined {
  if (rule?.attempts === 0) return undefined;
  const conditions = (rule?.retryOn || DEFAULT_RETRY_ON).split(",").map((one) => one.trim());
  const codes = conditions.filter((one) => /^\d+$/.test(one));
  const named = conditions.filter((one) => one !== "" && !codes.includes(one));
  if (codes.length > 0 && !named.includes(STATUS_CODES)) named.push(STATUS_CODES);
  const elsewhere = rule?.retryIgnorePreviousHosts ?? !hashed;
  return RetryPolicy.fromPartial({
    retryOn: named.join(","),
    numRetries: rule?.attempts ?? DEFAULT_RETRIES,
    retriableStatusCodes: codes.map(Number),
    retryHostPredicate: elsewhere ? [NOT_THE_SAME_HOST] : [],
    hostSelectionRetryMaxAttempts: OTHER_HOST_TRIES,
    ...(rule?.perTryTimeoutMs ? { perTryTimeout: duration(rule.perTryTimeoutMs) } : {}),
    ...(rule?.retryRemoteLocalities ? { retryPriority: OTHER_LOCALITIES } : {}),
    ...(rule?.backoffMs ? { retryBackOff: { baseInterval: duration(rule.backoffMs) } } : {}),
  });
}
