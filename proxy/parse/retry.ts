import type { RetryPolicy as RetryMessage } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { PreviousPrioritiesConfig } from "../../mesh/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts";
import type { RetryCondition, RetryPolicy } from "../model/route.ts";
import { parseHeaderMatch } from "./match.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode, milliseconds } from "./values.ts";

const CONDITIONS: ReadonlySet<string> = new Set<RetryCondition>([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "retriable-4xx",
  "retriable-status-codes",
  "retriable-headers",
  "unavailable",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
]);

/** Means nothing on HTTP/1.1 and HTTP/2, which is all there is here. */
const IGNORED = new Set(["http3-post-connect-failure", "envoy-ratelimited"]);

const PREVIOUS_PRIORITIES = "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig";
const PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";

export function parseRetry(parent: string, from: RetryMessage): RetryPolicy {
  const where = `${parent}: retry policy`;
  onlyFields(where, from, [
    "retryOn",
    "numRetries",
    "perTryTimeout",
    "retryHostPredicate",
    "retryPriority",
    "hostSelectionRetryMaxAttempts",
    "retriableStatusCodes",
    "retriableHeaders",
    "retryBackOff",
  ]);
  for (const predicate of from.retryHostPredicate) {
    if (
      anyType(predicate.typedConfig) !== PREVIOUS_HOSTS &&
      predicate.name !== "envoy.retry_host_predicates.previous_hosts"
    ) {
      throw unsupported(where, `retry host predicate "${predicate.name}"`);
    }
  }
  const backoffBaseMs = milliseconds(from.retryBackOff?.baseInterval, 25);
  return {
    on: parseConditions(where, from.retryOn),
    retries: from.numRetries ?? 1,
    perTryTimeoutMs: milliseconds(from.perTryTimeout, 0),
    statusCodes: new Set(from.retriableStatusCodes),
    responseHeaders: from.retriableHeaders.map((header) => parseHeaderMatch(where, header)),
    backoffBaseMs,
    backoffMaxMs: milliseconds(from.retryBackOff?.maxInterval, backoffBaseMs * 10),
    avoidPreviousHosts: from.retryHostPredicate.length > 0,
    avoidPrioritiesAfter: parseRetryPriority(where, from),
  };
}

function parseRetryPriority(where: string, { retryPriority }: RetryMessage): number {
  if (retryPriority === undefined) return 0;
  if (anyType(retryPriority.typedConfig) !== PREVIOUS_PRIORITIES) {
    throw unsupported(where, `retry priority "${retryPriority.name}"`);
  }
  return decode(where, PreviousPrioritiesConfig, retryPriority.typedConfig?.value ?? new Uint8Array())
    .updateFrequency;
}

function parseConditions(where: string, text: string): Set<RetryCondition> {
  const on = new Set<RetryCondition>();
  for (const word of text.split(",").map((part) => part.trim())) {
    if (word === "" || IGNORED.has(word)) continue;
    if (!CONDITIONS.has(word)) throw unsupported(where, `retry_on "${word}"`);
    on.add(word as RetryCondition);
  }
  return on;
}
