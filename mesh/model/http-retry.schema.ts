import { z } from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { quoted } from "./finding.ts";
import { count, duration, optionalText } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
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
    retryRemoteLocalities: notYet(),
    retryIgnorePreviousHosts: notYet(),
    backoff: notYet(duration(1).optional()),
  })
  .check(
    rule(["attempts", "perTryTimeout", "retryOn"], ({ attempts, perTryTimeout, retryOn }, report) => {
      if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== ""))
        report(["attempts"], "must be above 0 when there are other retry settings (0 turns retries off)");
    }),
  )
  .transform(({ attempts, perTryTimeout, retryOn }) => ({
    attempts,
    perTryTimeoutMs: perTryTimeout,
    retryOn,
  }));

function retryOnProblem(written: string): string | undefined {
  if (written === "") return undefined;
  for (const condition of written.split(",").map((each) => each.trim())) {
    if (/^[1-5]\d\d$/.test(condition) || RETRY_CONDITIONS.includes(condition)) continue;
    return `${quoted(condition)} is not a retry condition${didYouMean(condition, RETRY_CONDITIONS)}`;
  }
  return undefined;
}
