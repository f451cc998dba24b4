import type { ConnectionPool, RetryBudget, TcpKeepalive } from "../../../mesh/model/destination-rule.ts";
import { CircuitBreakers } from "../../../mesh/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts";
import {
  type Cluster,
  UpstreamConnectionOptions,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { MatchPredicate } from "../../../mesh/xds/gen/envoy/config/common/matcher/v3/matcher.ts";
import {
  HttpProtocolOptions as CommonOptions,
  Http2ProtocolOptions,
} from "../../../mesh/xds/gen/envoy/config/core/v3/protocol.ts";
import { HttpProtocolOptions } from "../../../mesh/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import { pack } from "../any.ts";
import { duration } from "../durations.ts";

/** Envoy's own limits are 1024 and 3; nobody asked for any, so there are none. 0 asks for none either, as in Istio. */
const UNLIMITED = 4_294_967_295;

/** Istio's defaults of a retry budget. */
const RETRY_BUDGET = { percent: 20, minRetryConcurrency: 3 } as const;

/** Envoy wants a time-out with every keep-alive of HTTP/2. */
const KEEPALIVE_TIMEOUT_MS = 10_000;

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** What is spoken to the endpoints; `as-called`: what the caller spoke. */
export type UpstreamHttp = "http1" | "http2" | "as-called";

export interface PoolOptions {
  readonly http: UpstreamHttp;
  readonly retryBudget?: RetryBudget | undefined;
  /** Which answers are errors to outlier detection; none given: those of 500 and above. */
  readonly errorCodes?: readonly number[] | undefined;
  /** TLS for the host of each call: its name is the SNI, and what the certificate must have. */
  readonly autoSni?: boolean;
  readonly autoSan?: boolean;
}

type PoolFields = Pick<
  Cluster,
  "connectTimeout" | "circuitBreakers" | "typedExtensionProtocolOptions" | "upstreamConnectionOptions"
>;

/** All that a connection pool says of a cluster. */
export function connectionPool(
  { connectTimeoutMs, mesh }: MeshSettings,
  pool: ConnectionPool | undefined,
  options: PoolOptions,
): PoolFields {
  return {
    connectTimeout: duration(pool?.connectTimeoutMs ?? connectTimeoutMs),
    circuitBreakers: circuitBreakers(pool, options.retryBudget),
    typedExtensionProtocolOptions: httpOptions(pool, options),
    upstreamConnectionOptions: keepalive(mesh.tcpKeepalive, pool?.tcpKeepalive),
  };
}

function circuitBreakers(pool: ConnectionPool | undefined, budget: RetryBudget | undefined): CircuitBreakers {
  return CircuitBreakers.fromPartial({
    thresholds: [
      {
        maxConnections: pool?.maxConnections || UNLIMITED,
        maxPendingRequests: pool?.maxPendingRequests || UNLIMITED,
        maxRequests: pool?.maxRequests || UNLIMITED,
        maxRetries: pool?.maxRetries || UNLIMITED,
        ...(budget && {
          retryBudget: {
            budgetPercent: { value: budget.percent ?? RETRY_BUDGET.percent },
            minRetryConcurrency: budget.minRetryConcurrency || RETRY_BUDGET.minRetryConcurrency,
            ...(budget.budgetIntervalMs && { budgetInterval: duration(budget.budgetIntervalMs) }),
          },
        }),
      },
    ],
  });
}

/** How HTTP is spoken to the endpoints; nothing where HTTP/1.1 without limits will do. */
function httpOptions(
  pool: ConnectionPool | undefined,
  { http, autoSni = false, autoSan = false, errorCodes = [] }: PoolOptions,
): Cluster["typedExtensionProtocolOptions"] {
  const common = commonOptions(pool);
  const counts = errorCodes.length > 0;
  if (http === "http1" && common === undefined && !autoSni && !autoSan && !counts) return {};
  const http2 = http2Options(pool);
  const options = HttpProtocolOptions.fromPartial({
    ...(http === "as-called"
      ? { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } }
      : {
          explicitHttpConfig:
            http === "http2" ? { http2ProtocolOptions: http2 } : { httpProtocolOptions: {} },
        }),
    ...(common && { commonHttpProtocolOptions: common }),
    ...(counts && { outlierDetection: { errorMatcher: statusMatcher(errorCodes) } }),
    ...((autoSni || autoSan) && { upstreamHttpProtocolOptions: { autoSni, autoSanValidation: autoSan } }),
  });
  return { [HTTP_OPTIONS]: pack(HTTP_OPTIONS, HttpProtocolOptions, options) };
}

function statusMatcher(codes: readonly number[]): MatchPredicate {
  const status = { stringMatch: { safeRegex: { regex: codes.join("|") } } };
  return MatchPredicate.fromPartial({
    httpResponseHeadersMatch: { headers: [{ name: ":status", ...status }] },
  });
}

/** One idle time-out serves both: HTTP's where it is given. */
function commonOptions(pool: ConnectionPool | undefined): CommonOptions | undefined {
  const idleTimeoutMs = pool?.idleTimeoutMs ?? pool?.tcpIdleTimeoutMs;
  const { maxRequestsPerConnection, maxConnectionDurationMs } = pool ?? {};
  if (idleTimeoutMs === undefined && !maxRequestsPerConnection && maxConnectionDurationMs === undefined) {
    return undefined;
  }
  return CommonOptions.fromPartial({
    ...(idleTimeoutMs !== undefined && { idleTimeout: duration(idleTimeoutMs) }),
    ...(maxRequestsPerConnection && { maxRequestsPerConnection }),
    ...(maxConnectionDurationMs !== undefined && {
      maxConnectionDuration: duration(maxConnectionDurationMs),
    }),
  });
}

function http2Options(pool: ConnectionPool | undefined): Http2ProtocolOptions {
  const { maxConcurrentStreams, http2KeepAlive } = pool ?? {};
  return Http2ProtocolOptions.fromPartial({
    ...(maxConcurrentStreams && { maxConcurrentStreams }),
    ...(http2KeepAlive && {
      connectionKeepalive: {
        ...(http2KeepAlive.intervalMs !== undefined && { interval: duration(http2KeepAlive.intervalMs) }),
        timeout: duration(http2KeepAlive.timeoutMs ?? KEEPALIVE_TIMEOUT_MS),
      },
    }),
  });
}

/** Each part from the pool, else from the mesh. Whole seconds, as the kernel has them. */
function keepalive(
  mesh: TcpKeepalive | undefined,
  own: TcpKeepalive | undefined,
): UpstreamConnectionOptions | undefined {
  if (mesh === undefined && own === undefined) return undefined;
  const probes = own?.probes ?? mesh?.probes;
  const timeMs = own?.timeMs ?? mesh?.timeMs;
  const intervalMs = own?.intervalMs ?? mesh?.intervalMs;
  return UpstreamConnectionOptions.fromPartial({
    tcpKeepalive: {
      ...(probes !== undefined && { keepaliveProbes: probes }),
      ...(timeMs !== undefined && { keepaliveTime: seconds(timeMs) }),
      ...(intervalMs !== undefined && { keepaliveInterval: seconds(intervalMs) }),
    },
  });
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}
