import { z } from "zod";
import type { ConnectionPool, OutlierDetection } from "./destination-rule.ts";
import { count, duration, wholePercent } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { presenceRule, rule } from "./schema-rule.ts";

const tcp = z.object({
  maxConnections: count.optional(),
  connectTimeout: duration(1).optional(),
  idleTimeout: duration(0).optional(),
  maxConnectionDuration: notYet(duration(1).optional()),
  tcpKeepalive: notYet(
    z
      .object({ probes: count.optional(), time: duration(1).optional(), interval: duration(1).optional() })
      .optional(),
  ),
});

const http = z
  .object({
    http1MaxPendingRequests: count.optional(),
    http2MaxRequests: count.optional(),
    maxRequestsPerConnection: count.optional(),
    maxRetries: count.optional(),
    idleTimeout: duration(0).optional(),
    h2UpgradePolicy: notYet(z.enum(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]).optional()),
    useClientProtocol: notYet(z.boolean().optional()),
    maxConcurrentStreams: notYet(count.optional()),
    http2KeepAlive: notYet(),
  })
  .check(
    rule(["h2UpgradePolicy", "useClientProtocol"], ({ h2UpgradePolicy, useClientProtocol }, report) => {
      if (h2UpgradePolicy === "UPGRADE" && useClientProtocol === true)
        report(["useClientProtocol"], "must not be together with h2UpgradePolicy UPGRADE");
    }),
  );

/** ConnectionPoolSettings. One idle time-out serves both: HTTP's where it is given. */
export const connectionPool: z.ZodType<ConnectionPool> = z
  .object({ tcp: tcp.optional(), http: http.optional() })
  .check(
    presenceRule((present, report) => {
      if (present.size === 0) report([], "must have tcp or http settings");
    }),
  )
  .transform(({ tcp, http }) => ({
    maxConnections: tcp?.maxConnections,
    connectTimeoutMs: tcp?.connectTimeout,
    maxPendingRequests: http?.http1MaxPendingRequests,
    maxRequests: http?.http2MaxRequests,
    maxRequestsPerConnection: http?.maxRequestsPerConnection,
    maxRetries: http?.maxRetries,
    idleTimeoutMs: http?.idleTimeout ?? tcp?.idleTimeout,
  }));

/** OutlierDetection; the deprecated `consecutiveErrors` counts gateway errors, as in Istio. */
export const outlierDetection: z.ZodType<OutlierDetection> = z
  .object({
    consecutive5xxErrors: count.optional(),
    consecutiveGatewayErrors: count.optional(),
    consecutiveErrors: count.optional(),
    interval: duration(1).optional(),
    baseEjectionTime: duration(1).optional(),
    maxEjectionPercent: wholePercent.optional(),
    minHealthPercent: wholePercent.optional(),
    splitExternalLocalOriginErrors: notYet(z.boolean().optional()),
    consecutiveLocalOriginFailures: notYet(count.optional()),
    outlierDetectionHttpErrorCodes: notYet(),
  })
  .transform((settings) => ({
    consecutive5xxErrors: settings.consecutive5xxErrors,
    consecutiveGatewayErrors: settings.consecutiveGatewayErrors ?? settings.consecutiveErrors,
    intervalMs: settings.interval,
    baseEjectionTimeMs: settings.baseEjectionTime,
    maxEjectionPercent: settings.maxEjectionPercent,
    minHealthPercent: settings.minHealthPercent,
  }));
