import { isIP } from "node:net";
import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds as Thresholds,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts";
import {
  Cluster as ClusterMessage,
  type UpstreamConnectionOptions,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { BindConfig } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import type { Cluster, ClusterLimits, ServiceName, TransportMatch } from "../model/cluster.ts";
import { parseBalancing } from "./balancing.ts";
import { parseSource } from "./cluster-source.ts";
import { transportCriteria } from "./endpoints.ts";
import { parseHealthCheck } from "./health-check.ts";
import { parseOutlier } from "./outlier.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseTransport } from "./transport.ts";
import { parseUpstreamHttp } from "./upstream-http.ts";
import { decode, milliseconds } from "./values.ts";

const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
/** Envoy's. */
const DEFAULT_BUDGET = { percent: 20, minimum: 3 } as const;

export function parseCluster(bytes: Uint8Array, name: string): Cluster {
  const where = `cluster ${name}`;
  const from = decode(where, ClusterMessage, bytes);
  onlyFields(where, from, [
    "name",
    "altStatName",
    "type",
    "clusterType",
    "edsClusterConfig",
    "dnsRefreshRate",
    "dnsFailureRefreshRate",
    "respectDnsTtl",
    "dnsLookupFamily",
    "connectTimeout",
    "lbPolicy",
    "leastRequestLbConfig",
    "roundRobinLbConfig",
    "ringHashLbConfig",
    "maglevLbConfig",
    "commonLbConfig",
    "loadAssignment",
    "circuitBreakers",
    "outlierDetection",
    "typedExtensionProtocolOptions",
    "transportSocketMatches",
    "transportSocket",
    "metadata",
    "perConnectionBufferLimitBytes",
    "upstreamConnectionOptions",
    "cleanupInterval",
    "upstreamBindConfig",
    "healthChecks",
  ]);
  const { errorStatuses, ...http } = parseUpstreamHttp(where, from);
  return {
    name,
    service: parseService(from),
    source: parseSource(where, from),
    sourceAddresses: parseSourceAddresses(where, from.upstreamBindConfig),
    balancing: parseBalancing(where, from),
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
    outlier: from.outlierDetection && parseOutlier(where, from.outlierDetection, errorStatuses),
    keepAliveMs: parseKeepAlive(where, from.upstreamConnectionOptions),
    healthCheck: parseHealthCheck(where, from.healthChecks, http.http),
    ...http,
  };
}

function parseSourceAddresses(parent: string, from: BindConfig | undefined): string[] {
  if (from === undefined) return [];
  const where = `${parent}: upstream_bind_config`;
  onlyFields(where, from, ["sourceAddress", "extraSourceAddresses"]);
  const sockets = [
    required(where, "source_address", from.sourceAddress),
    ...from.extraSourceAddresses.map((extra) => {
      onlyFields(where, extra, ["address"]);
      return required(where, "address", extra.address);
    }),
  ];
  const addresses = sockets.map((socket) => {
    onlyFields(where, socket, ["address"]);
    if (isIP(socket.address) === 0) throw invalid(where, `"${socket.address}" is not an IP address`);
    return socket.address;
  });
  if (new Set(addresses.map(isIP)).size < addresses.length)
    throw unsupported(where, "more than one address of a family");
  return addresses;
}

/** Istio's metadata of a cluster. */
function parseService({ metadata }: ClusterMessage): ServiceName | undefined {
  const services: unknown = metadata?.filterMetadata["istio"]?.["services"];
  const [first] = Array.isArray(services) ? (services as unknown[]) : [];
  if (typeof first !== "object" || first === null) return undefined;
  const { host = "", name = "", namespace = "" } = first as Record<string, unknown>;
  const known = typeof host === "string" && typeof name === "string" && typeof namespace === "string";
  return known && host !== "" ? { host, name, namespace } : undefined;
}

function parseLimits(where: string, from: CircuitBreakers | undefined): ClusterLimits {
  if (from) onlyFields(where, from, ["thresholds"]);
  const threshold: Partial<Thresholds> = from?.thresholds.find(({ priority }) => priority === 0) ?? {};
  onlyFields(where, threshold, [
    "maxConnections",
    "maxPendingRequests",
    "maxRequests",
    "maxRetries",
    "retryBudget",
    "trackRemaining",
  ]);
  const budget = threshold.retryBudget;
  if (budget)
    onlyFields(`${where}: retry_budget`, budget, ["budgetPercent", "budgetInterval", "minRetryConcurrency"]);
  return {
    maxConnections: threshold.maxConnections ?? Number.POSITIVE_INFINITY,
    maxPending: threshold.maxPendingRequests ?? Number.POSITIVE_INFINITY,
    maxRequests: threshold.maxRequests ?? Number.POSITIVE_INFINITY,
    maxRetries: threshold.maxRetries ?? Number.POSITIVE_INFINITY,
    retryBudget: budget && {
      percent: budget.budgetPercent?.value ?? DEFAULT_BUDGET.percent,
      minimum: budget.minRetryConcurrency ?? DEFAULT_BUDGET.minimum,
      intervalMs: milliseconds(budget.budgetInterval, 0),
    },
  };
}

/** Node sets the time of the first probe; how often and how many follow is the kernel's. */
function parseKeepAlive(where: string, options: UpstreamConnectionOptions | undefined): number | undefined {
  if (options) onlyFields(`${where}: upstream_connection_options`, options, ["tcpKeepalive"]);
  const keepalive = options?.tcpKeepalive;
  return keepalive && (keepalive.keepaliveTime ?? 0) * 1000;
}
