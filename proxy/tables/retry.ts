import type { HeaderMatch } from "../model/match.ts";
import type { RetryCondition, RetryPolicy } from "../model/route.ts";
import { compileHeader } from "./matchers.ts";
import { RequestMetadata } from "./metadata.ts";

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: "response"; readonly status: number; header(name: string): string | undefined }
  /** No connection came about, so the upstream saw nothing. */
  | { readonly kind: "connect-failure" }
  /** The connection or the stream broke before a response. `refused`: the upstream says that it has not looked at it. */
  | { readonly kind: "reset"; readonly requestSent: boolean; readonly refused: boolean }
  | { readonly kind: "per-try-timeout" };

const NOTHING_LEFT = new RequestMetadata();

const GRPC_STATUS = new Map<string, RetryCondition>([
  ["1", "cancelled"],
  ["4", "deadline-exceeded"],
  ["8", "resource-exhausted"],
  ["13", "internal"],
  ["14", "unavailable"],
]);

/** Whether the policy wants another attempt after one that ended so. Counting attempts is the caller's part. */
export function wantsRetry(policy: RetryPolicy, end: AttemptEnd): boolean {
  const { on } = policy;
  switch (end.kind) {
    case "connect-failure":
      return (
        on.has("connect-failure") ||
        on.has("5xx") ||
        on.has("gateway-error") ||
        on.has("reset") ||
        on.has("reset-before-request")
      );
    case "reset":
      return (
        on.has("reset") ||
        on.has("5xx") ||
        on.has("gateway-error") ||
        (on.has("reset-before-request") && !end.requestSent) ||
        (on.has("refused-stream") && end.refused)
      );
    case "per-try-timeout":
      return on.has("5xx") || on.has("gateway-error") || on.has("reset");
    case "response":
      return wantsRetryOnResponse(policy, end);
    default:
      return end satisfies never;
  }
}

function wantsRetryOnResponse(policy: RetryPolicy, end: Extract<AttemptEnd, { kind: "response" }>): boolean {
  const { on, statusCodes, responseHeaders } = policy;
  const { status } = end;
  if (on.has("5xx") && status >= 500) return true;
  if (on.has("gateway-error") && status >= 502 && status <= 504) return true;
  if (on.has("retriable-4xx") && status === 409) return true;
  if (on.has("retriable-status-codes") && statusCodes.has(status)) return true;
  if (on.has("retriable-headers") && matchesAny(responseHeaders, end)) return true;
  const grpc = GRPC_STATUS.get(end.header("grpc-status") ?? "");
  return grpc !== undefined && on.has(grpc);
}

function matchesAny(
  headers: readonly HeaderMatch[],
  end: Extract<AttemptEnd, { kind: "response" }>,
): boolean {
  const facts = {
    method: "",
    path: "",
    query: "",
    authority: "",
    scheme: "",
    metadata: NOTHING_LEFT,
    header: (name: string) => end.header(name),
    headerValues: (name: string) => [end.header(name)].filter((value) => value !== undefined),
  };
  return headers.some((header) => compileHeader(header)(facts));
}

/** Full jitter over a window that doubles with each retry; `retry` counts from 1. */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: number): number {
  return random * Math.min(policy.backoffMaxMs, policy.backoffBaseMs * (2 ** retry - 1));
}
