import { STATUS_CODES } from "node:http";
import * as z from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { quoted } from "./finding.ts";
import { count, duration, optionalText } from "./scalars.schema.ts";
import { problemCheck, rule } from "./schema-rule.ts";
import type { RetryPolicy } from "./virtual-service.ts";

/** Envoy's conditions of x-envoy-retry-on and x-envoy-retry-grpc-on. */
const RETRY_CONDITIONS: readonly string[] = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "envoy-ratelimited",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
];

/** HTTPRetry. */
export const retries: z.ZodType<RetryPolicy> = z
  .object({
    attempts: count.default(0),
    perTryTimeout: duration(1).optional(),
    retryOn: optionalText.check(problemCheck(retryOnProblem)),
    retryRemoteLocalities: z.boolean().optional(),
    retryIgnorePreviousHosts: z.boolean().optional(),
    backoff: duration(1).optional(),
  })
  .check(
    rule(["attempts", "perTryTimeout", "retryOn", "retryRemoteLocalities"], (retries, report) => {
      const { attempts, perTryTimeout, retryOn, retryRemoteLocalities } = retries;
      const configured = perTryTimeout !== undefined || retryOn !== "" || retryRemoteLocalities !== undefined;
      if (attempts === 0 && configured)
        report(["attempts"], "must be above 0 when there are other retry settings (0 turns retries off)");
    }),
  )
  .transform((retries) => ({
    attempts: retries.attempts,
    perTryTimeoutMs: retries.perTryTimeout,
    retryOn: retries.retryOn,
    retryRemoteLocalities: retries.retryRemoteLocalities ?? false,
    retryIgnorePreviousHosts: retries.retryIgnorePreviousHosts,
    backoffMs: retries.backoff,
  }));

function retryOnProblem(written: string): string | undefined {
  if (written === "") return undefined;
  for (const condition of written.split(",")) {
    if (Object.hasOwn(STATUS_CODES, condition) || RETRY_CONDITIONS.includes(condition)) continue;
    if (/\s/.test(condition)) return "must not have spaces: the conditions are joined by commas alone";
    return `${quoted(condition)} is not a retry condition${didYouMean(condition, RETRY_CONDITIONS)}`;
  }
  return undefined;
}
