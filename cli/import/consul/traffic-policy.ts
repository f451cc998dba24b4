import type { LoadBalancerEntry, Resolver, Upstream } from "./entry-schemas.ts";
import { said } from "./manifest.ts";

type Policy = Record<string, unknown>;
type HashPolicy = LoadBalancerEntry["HashPolicies"][number];

/** How callers balance and connect, by a resolver. */
export function resolverPolicy({ LoadBalancer, ConnectTimeout: connectTimeout }: Resolver): Policy {
  return said({
    loadBalancer: LoadBalancer === undefined ? undefined : loadBalancer(LoadBalancer),
    connectionPool: connectTimeout === undefined ? undefined : { tcp: { connectTimeout } },
  });
}

/** Envoy's own, which is Consul's. */
const TABLE_SIZE = 65_537;

const SIMPLE: Readonly<Record<string, string>> = {
  random: "RANDOM",
  round_robin: "ROUND_ROBIN",
  least_request: "LEAST_REQUEST",
};

function loadBalancer({
  Policy: policy = "",
  RingHashConfig,
  HashPolicies,
}: LoadBalancerEntry): Policy | undefined {
  const simple = SIMPLE[policy];
  if (simple !== undefined) return { simple };
  if (policy !== "ring_hash" && policy !== "maglev") return undefined;
  const [first] = HashPolicies;
  const key = first === undefined ? undefined : hashKey(first);
  if (key === undefined) return { simple: "RANDOM" };
  const minimumRingSize = RingHashConfig?.MinimumRingSize;
  const algorithm =
    policy === "maglev"
      ? { maglev: { tableSize: TABLE_SIZE } }
      : minimumRingSize === undefined
        ? {}
        : { ringHash: { minimumRingSize } };
  return { consistentHash: { ...key, ...algorithm } };
}

function hashKey({ Field, FieldValue = "", SourceIP, CookieConfig }: HashPolicy): Policy | undefined {
  if (SourceIP) return { useSourceIp: true };
  if (Field === "header") return { httpHeaderName: FieldValue };
  if (Field === "query_parameter") return { httpQueryParameterName: FieldValue };
  if (Field !== "cookie") return undefined;
  // A cookie that a proxy makes has a life time; one that the caller brings has none here.
  const ttl = CookieConfig?.TTL ?? (CookieConfig?.Session === true ? "0s" : undefined);
  return { httpCookie: said({ name: FieldValue, path: CookieConfig?.Path, ttl }) };
}

/** What a caller's own settings of an upstream are. */
export function upstreamPolicy({ ConnectTimeoutMs, Limits, PassiveHealthCheck: health }: Upstream): Policy {
  const connectTimeout = ConnectTimeoutMs === undefined ? undefined : `${ConnectTimeoutMs}ms`;
  const tcp = said({ maxConnections: Limits?.MaxConnections, connectTimeout });
  const http = said({
    http1MaxPendingRequests: Limits?.MaxPendingRequests,
    http2MaxRequests: Limits?.MaxConcurrentRequests,
  });
  const connectionPool = said({ tcp: orNothing(tcp), http: orNothing(http) });
  const outlierDetection = said({
    consecutive5xxErrors: health?.MaxFailures,
    interval: health?.Interval,
    baseEjectionTime: health?.BaseEjectionTime,
    maxEjectionPercent: health?.MaxEjectionPercent,
  });
  return said({ connectionPool: orNothing(connectionPool), outlierDetection: orNothing(outlierDetection) });
}

/** The settings of `over` in the place of those of `base`, down to single fields of a connection pool. */
export function overriding(base: Policy, over: Policy): Policy {
  const pools = [base["connectionPool"], over["connectionPool"]] as Record<string, Policy>[];
  const [under = {}, above = {}] = pools;
  const connectionPool = said({
    tcp: orNothing({ ...under["tcp"], ...above["tcp"] }),
    http: orNothing({ ...under["http"], ...above["http"] }),
  });
  return said({ ...base, ...over, connectionPool: orNothing(connectionPool) });
}

/** Undefined in the place of no fields at all. */
export function orNothing(fields: Policy): Policy | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
