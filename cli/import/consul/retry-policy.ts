import type { Route } from "./entry-schemas.ts";

/** Consul's proxies retry when a route says on what; ours would retry twice if nothing was said. */
export function retryPolicy(destination: Route["Destination"]): Record<string, unknown> {
  const { NumRetries, RetryOnConnectFailure, RetryOn, RetryOnStatusCodes } = destination;
  const conditions = [
    ...(RetryOnConnectFailure ? ["connect-failure"] : []),
    ...RetryOn,
    ...RetryOnStatusCodes.map(String),
  ];
  if (conditions.length === 0) return { attempts: 0 };
  return { attempts: NumRetries ?? 1, retryOn: [...new Set(conditions)].join(",") };
}
