import * as z from "zod";
import type { ConnectionPool, TcpKeepalive } from "./destination-rule.ts";
import { duration, flag, limit, uint32 } from "./scalars.schema.ts";
import { presenceRule, rule } from "./schema-rule.ts";

/** TcpKeepalive. */
export const tcpKeepalive: z.ZodType<TcpKeepalive> = z
  .object({ probes: uint32.optional(), time: duration(1).optional(), interval: duration(1).optional() })
  .transform(({ probes, time, interval }) => ({ probes, timeMs: time, intervalMs: interval }));

const tcp = z.object({
  maxConnections: limit,
  connectTimeout: duration(1).optional(),
  tcpKeepalive: tcpKeepalive.optional(),
  maxConnectionDuration: duration(1).optional(),
  idleTimeout: duration(0).optional(),
});

const http2KeepAlive = z
  .object({ interval: duration(1), timeout: duration(1) })
  .transform(({ interval, timeout }) => ({ intervalMs: interval, timeoutMs: timeout }));

const http = z
  .object({
    http1MaxPendingRequests: limit,
    http2MaxRequests: limit,
    maxRequestsPerConnection: limit,
    maxRetries: limit,
    idleTimeout: duration(1).optional(),
    h2UpgradePolicy: z.enum(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]).default("DEFAULT"),
    useClientProtocol: flag,
    maxConcurrentStreams: limit,
    http2KeepAlive: http2KeepAlive.optional(),
  })
  .check(
    rule(["h2UpgradePolicy", "useClientProtocol"], ({ h2UpgradePolicy, useClientProtocol }, report) => {
      if (h2UpgradePolicy === "UPGRADE" && useClientProtocol)
        report(["useClientProtocol"], "must not be together with h2UpgradePolicy UPGRADE");
    }),
  );

/** ConnectionPoolSettings. Where HTTP has no idle time-out of its own it has TCP's, as in Istio. */
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
    tcpKeepalive: tcp?.tcpKeepalive,
    maxConnectionDurationMs: tcp?.maxConnectionDuration,
    tcpIdleTimeoutMs: tcp?.idleTimeout,
    idleTimeoutMs: http?.idleTimeout ?? tcp?.idleTimeout,
    h2UpgradePolicy:
      http === undefined || http.h2UpgradePolicy === "DEFAULT" ? undefined : http.h2UpgradePolicy,
    useClientProtocol: http?.useClientProtocol ?? false,
    maxConcurrentStreams: http?.maxConcurrentStreams,
    http2KeepAlive: http?.http2KeepAlive,
  }));
