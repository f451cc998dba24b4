import type { ConnectionPool, LoadBalancer, OutlierDetection } from "../../../mesh/model/destination-rule.ts";
import { CircuitBreakers } from "../../../mesh/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts";
import { type Cluster, Cluster_LbPolicy } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { OutlierDetection as EnvoyOutlierDetection } from "../../../mesh/xds/gen/envoy/config/cluster/v3/outlier_detection.ts";
import { HttpProtocolOptions } from "../../../mesh/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import { pack } from "../any.ts";
import { duration } from "../durations.ts";

/** Envoy's own limits are 1024 and 3; nobody asked for any, so there are none. */
const UNLIMITED = 4_294_967_295;

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

export function circuitBreakers(pool?: ConnectionPool): CircuitBreakers {
  return CircuitBreakers.fromPartial({
    thresholds: [
      {
        maxConnections: pool?.maxConnections ?? UNLIMITED,
        maxPendingRequests: pool?.maxPendingRequests ?? UNLIMITED,
        maxRequests: pool?.maxRequests ?? UNLIMITED,
        maxRetries: pool?.maxRetries ?? UNLIMITED,
      },
    ],
  });
}

/** Undefined: the balancer cannot be had on a listener that the application dials itself. */
export function lbPolicy(balancer: LoadBalancer | undefined): Cluster_LbPolicy | undefined {
  const simple = balancer?.simple;
  switch (simple) {
    case undefined:
    case "LEAST_REQUEST":
      return Cluster_LbPolicy.LEAST_REQUEST;
    case "ROUND_ROBIN":
      return Cluster_LbPolicy.ROUND_ROBIN;
    case "RANDOM":
      return Cluster_LbPolicy.RANDOM;
    case "PASSTHROUGH":
      return undefined;
    default:
      return simple satisfies never;
  }
}

/** Only what is asked for ejects; the statistical kind is off, as in Istio, and so is panic unless it is set. */
export function outlierDetection(
  rule: OutlierDetection | undefined,
): Partial<Pick<Cluster, "outlierDetection" | "commonLbConfig">> {
  if (rule === undefined) return {};
  const { consecutive5xxErrors, consecutiveGatewayErrors, intervalMs, baseEjectionTimeMs } = rule;
  return {
    outlierDetection: EnvoyOutlierDetection.fromPartial({
      enforcingSuccessRate: 0,
      ...(consecutive5xxErrors !== undefined && {
        consecutive5xx: consecutive5xxErrors,
        enforcingConsecutive5xx: consecutive5xxErrors > 0 ? 100 : 0,
      }),
      ...(consecutiveGatewayErrors !== undefined && {
        consecutiveGatewayFailure: consecutiveGatewayErrors,
        enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
      }),
      ...(intervalMs !== undefined && { interval: duration(intervalMs) }),
      ...(baseEjectionTimeMs !== undefined && { baseEjectionTime: duration(baseEjectionTimeMs) }),
      ...(rule.maxEjectionPercent !== undefined && { maxEjectionPercent: rule.maxEjectionPercent }),
    }),
    commonLbConfig: {
      healthyPanicThreshold: { value: rule.minHealthPercent ?? 0 },
      updateMergeWindow: undefined,
      ignoreNewHostsUntilFirstHc: false,
      closeConnectionsOnHostSetChange: false,
      consistentHashingLbConfig: undefined,
      overrideHostStatus: undefined,
    },
  };
}

/** How HTTP is spoken to the endpoints; nothing where HTTP/1.1 without limits will do. */
export function httpOptions(
  http2: boolean,
  pool?: ConnectionPool,
): Pick<Cluster, "typedExtensionProtocolOptions"> {
  const perConnection = pool?.maxRequestsPerConnection;
  const idleTimeoutMs = pool?.idleTimeoutMs;
  if (!http2 && !perConnection && idleTimeoutMs === undefined) return { typedExtensionProtocolOptions: {} };
  const options = HttpProtocolOptions.fromPartial({
    explicitHttpConfig: http2 ? { http2ProtocolOptions: {} } : { httpProtocolOptions: {} },
    ...((perConnection || idleTimeoutMs !== undefined) && {
      commonHttpProtocolOptions: {
        ...(perConnection ? { maxRequestsPerConnection: perConnection } : {}),
        ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
      },
    }),
  });
  return {
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: pack(HTTP_OPTIONS, HttpProtocolOptions, options) },
  };
}
