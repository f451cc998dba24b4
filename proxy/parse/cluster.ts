import {
  type CircuitBreakers,
  type CircuitBreakers_Thresholds as Thresholds,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts";
import {
  Cluster as ClusterMessage,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { TransportSocket } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { HttpProtocolOptions } from "../../mesh/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import type { Cluster, ClusterLimits, Transport, TransportMatch } from "../model/cluster.ts";
import { readLoadAssignment, transportCriteria } from "./endpoints.ts";
import { parseOutlier } from "./outlier.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseUpstreamTls } from "./tls.ts";
import { anyType, decode, fromAds, milliseconds } from "./values.ts";

export const RAW_BUFFER_TYPE = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const UPSTREAM_TLS_TYPE = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP_OPTIONS_TYPE = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
/** Below the five minutes that a Lateen inbound listener keeps an idle connection. */
const DEFAULT_IDLE_TIMEOUT_MS = 60_000;

export function parseCluster(bytes: Uint8Array, name: string): Cluster {
  const where = `cluster ${name}`;
  const from = decode(where, ClusterMessage, bytes);
  onlyFields(where, from, [
    "name",
    "altStatName",
    "type",
    "edsClusterConfig",
    "connectTimeout",
    "lbPolicy",
    "leastRequestLbConfig",
    "roundRobinLbConfig",
    "commonLbConfig",
    "loadAssignment",
    "circuitBreakers",
    "outlierDetection",
    "typedExtensionProtocolOptions",
    "transportSocketMatches",
    "transportSocket",
    "metadata",
    "perConnectionBufferLimitBytes",
  ]);
  parseLbConfig(where, from);
  return {
    name,
    source: parseSource(where, from),
    policy: parsePolicy(where, from),
    connectTimeoutMs: milliseconds(from.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    transportMatches: from.transportSocketMatches.map((match): TransportMatch => {
      const at = `${where}: transport socket match "${match.name}"`;
      return {
        name: match.name,
        criteria: transportCriteria(match.match),
        transport: parseTransport(at, match.transportSocket),
      };
    }),
    transport: parseTransport(where, from.transportSocket),
    limits: parseLimits(where, from.circuitBreakers),
    outlier: from.outlierDetection && parseOutlier(where, from.outlierDetection),
    ...parseHttpOptions(where, from),
  };
}

function parseSource(where: string, from: ClusterMessage): Cluster["source"] {
  switch (from.type ?? DiscoveryType.STATIC) {
    case DiscoveryType.STATIC: {
      const assignment = from.loadAssignment;
      const endpoints = assignment ? readLoadAssignment(where, assignment).endpoints : [];
      return { kind: "static", endpoints };
    }
    case DiscoveryType.EDS: {
      const eds = required(where, "eds_cluster_config", from.edsClusterConfig);
      fromAds(where, eds.edsConfig);
      return { kind: "eds", service: eds.serviceName || from.name };
    }
    default:
      throw unsupported(where, `discovery type ${nameOf(DiscoveryType, from.type)}`);
  }
}

function parsePolicy(where: string, from: ClusterMessage): Cluster["policy"] {
  switch (from.lbPolicy) {
    case LbPolicy.LEAST_REQUEST:
      return "LEAST_REQUEST";
    case LbPolicy.ROUND_ROBIN:
      return "ROUND_ROBIN";
    case LbPolicy.RANDOM:
      return "RANDOM";
    default:
      throw unsupported(where, `load balancing policy ${nameOf(LbPolicy, from.lbPolicy)}`);
  }
}

/** Endpoints that are unhealthy are never used here, so a panic threshold has nothing to decide. */
function parseLbConfig(where: string, from: ClusterMessage): void {
  if (from.leastRequestLbConfig) onlyFields(where, from.leastRequestLbConfig, ["choiceCount"]);
  if (from.roundRobinLbConfig) onlyFields(where, from.roundRobinLbConfig, []);
  if (from.commonLbConfig) {
    onlyFields(where, from.commonLbConfig, [
      "healthyPanicThreshold",
      "updateMergeWindow",
      "closeConnectionsOnHostSetChange",
    ]);
  }
}

function parseTransport(where: string, socket: TransportSocket | undefined): Transport {
  if (socket === undefined) return { kind: "plain" };
  const type = anyType(socket.typedConfig);
  if (type === RAW_BUFFER_TYPE) return { kind: "plain" };
  if (type === UPSTREAM_TLS_TYPE && socket.typedConfig) {
    return {
      kind: "tls",
      tls: parseUpstreamTls(`${where}: transport socket "${socket.name}"`, socket.typedConfig.value),
    };
  }
  throw unsupported(where, `transport socket "${socket.name}"`);
}

function parseLimits(where: string, from: CircuitBreakers | undefined): ClusterLimits {
  if (from) onlyFields(where, from, ["thresholds"]);
  const threshold: Partial<Thresholds> = from?.thresholds.find(({ priority }) => priority === 0) ?? {};
  onlyFields(where, threshold, [
    "maxConnections",
    "maxPendingRequests",
    "maxRequests",
    "maxRetries",
    "trackRemaining",
  ]);
  return {
    maxConnections: threshold.maxConnections ?? Number.POSITIVE_INFINITY,
    // Every request has a connection of its own on HTTP/1.1, so that nothing is ever pending behind another.
    maxRequests: threshold.maxRequests ?? Number.POSITIVE_INFINITY,
    maxRetries: threshold.maxRetries ?? Number.POSITIVE_INFINITY,
  };
}

/** Refuses what is not HTTP/1.1. */
function parseHttpOptions(
  where: string,
  from: ClusterMessage,
): Pick<Cluster, "idleTimeoutMs" | "maxRequestsPerConnection"> {
  let idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS;
  let maxRequestsPerConnection = 0;
  for (const [name, any] of Object.entries(from.typedExtensionProtocolOptions)) {
    if (anyType(any) !== HTTP_OPTIONS_TYPE) throw unsupported(where, `protocol options "${name}"`);
    const options = decode(where, HttpProtocolOptions, any.value);
    onlyFields(where, options, [
      "commonHttpProtocolOptions",
      "explicitHttpConfig",
      "useDownstreamProtocolConfig",
    ]);
    if (options.explicitHttpConfig?.http2ProtocolOptions) throw unsupported(where, "HTTP/2 to the upstream");
    if (options.explicitHttpConfig?.http3ProtocolOptions) throw unsupported(where, "HTTP/3 to the upstream");
    const common = options.commonHttpProtocolOptions;
    if (common) onlyFields(where, common, ["idleTimeout", "maxRequestsPerConnection"]);
    idleTimeoutMs = milliseconds(common?.idleTimeout, idleTimeoutMs);
    maxRequestsPerConnection = common?.maxRequestsPerConnection ?? 0;
  }
  if (idleTimeoutMs < 0) throw invalid(where, "a negative idle timeout");
  return { idleTimeoutMs, maxRequestsPerConnection };
}

function nameOf(values: Readonly<Record<string, number>>, value: number | undefined): string {
  return Object.entries(values).find(([, number]) => number === value)?.[0] ?? String(value);
}
