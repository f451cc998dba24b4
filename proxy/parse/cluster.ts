import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds as Thresholds,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts";
import {
  Cluster as ClusterMessage,
  type UpstreamConnectionOptions,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Cluster, ClusterLimits, ServiceName, TransportMatch } from "../model/cluster.ts";
import { parseBalancing } from "./balancing.ts";
import { parseSource } from "./cluster-source.ts";
import { transportCriteria } from "./endpoints.ts";
import { parseOutlier } from "./outlier.ts";
import { onlyFields } from "./refuse.ts";
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
  ]);
  const { errorStatuses, ...http } = parseUpstreamHttp(where, from);
  return {
    name,
    service: parseService(from),
    source: parseSource(where, from),
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
    ...http,
  };
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
