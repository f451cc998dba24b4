import type { HealthCheck } from "./health-check.ts";
import type { Http2Settings } from "./http2.ts";
import type { UpstreamTls } from "./tls.ts";

/** A group of equal endpoints and how they are called. */
export interface Cluster {
  readonly name: string;
  /** What it is of, for telemetry; undefined: it does not say. */
  readonly service: ServiceName | undefined;
  readonly source:
    | { readonly kind: "static"; readonly endpoints: readonly Endpoint[] }
    | { readonly kind: "eds"; readonly service: string }
    | DnsSource
    /** Each connection goes on to where it was going before it was captured. */
    | CapturedSource
    /** Each request goes to the host that it names, whose name is looked up then (dynamic forward proxy). */
    | { readonly kind: "dynamic-dns"; readonly family: DnsSource["family"] };
  /** From where connections are made, at most one of each family; none: the kernel's choice. */
  readonly sourceAddresses: readonly string[];
  readonly balancing: Balancing;
  readonly connectTimeoutMs: number;
  /** The first whose criteria an endpoint's metadata meets; otherwise `transport`. */
  readonly transportMatches: readonly TransportMatch[];
  readonly transport: Transport;
  readonly limits: ClusterLimits;
  /** Hosts that keep failing are left out for a while. */
  readonly outlier: OutlierRules | undefined;
  /** Hosts are asked whether they are well; undefined: what EDS says is believed. */
  readonly healthCheck: HealthCheck | undefined;
  /** 0 is without limit. */
  readonly maxRequestsPerConnection: number;
  /** Idle upstream connections are closed after this long. */
  readonly idleTimeoutMs: number;
  /** Connections are not used for new requests after this long; 0 is without limit. */
  readonly maxConnectionMs: number;
  /** TCP keep-alive after so long without a byte; undefined: none. */
  readonly keepAliveMs: number | undefined;
  readonly http: UpstreamHttp;
  readonly http2: Http2Settings;
  /** TLS is for the host of the request: it is the SNI, and with `verify` the name in the certificate. */
  readonly hostTls: { readonly sni: boolean; readonly verify: boolean };
}

export interface ServiceName {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** The HTTP that endpoints are asked in: always the same, the caller's, or what ALPN agrees upon. */
export type UpstreamHttp = "http1" | "http2" | "as-called" | "negotiated";

/** Endpoints whose addresses are names, looked up again and again. */
export interface DnsSource {
  readonly kind: "dns";
  readonly endpoints: readonly Endpoint[];
  /** Only the first address is used (LOGICAL_DNS). */
  readonly logical: boolean;
  readonly refreshMs: number;
  readonly family: "v4" | "v6" | "v4-first" | "v6-first" | "all";
}

interface CapturedSource {
  readonly kind: "original-destination";
  /** A host that is not called for so long is forgotten. */
  readonly forgetMs: number;
}

/** How one of many endpoints is chosen. */
export interface Balancing {
  readonly policy: BalancingPolicy;
  /** With fewer healthy hosts than this part (percent), the ejected ones are used too. */
  readonly panicPercent: number;
  /** Localities get their weights' shares, whatever their endpoints weigh. */
  readonly byLocality: boolean;
  /** New endpoints get less than their share for a while. */
  readonly slowStart: SlowStart | undefined;
}

export type BalancingPolicy =
  | { readonly kind: "LEAST_REQUEST" | "ROUND_ROBIN" | "RANDOM" }
  | { readonly kind: "RING_HASH"; readonly minimumSize: number; readonly maximumSize: number }
  /** `tableSize` is prime. */
  | { readonly kind: "MAGLEV"; readonly tableSize: number };

export interface SlowStart {
  readonly windowMs: number;
  /** 1 grows evenly, more grows fast at first. */
  readonly aggression: number;
  readonly minimumPercent: number;
}

export type Transport = ({ readonly kind: "plain" } | { readonly kind: "tls"; readonly tls: UpstreamTls }) & {
  /** The caller's address comes first on each connection (HAProxy's PROXY protocol). */
  readonly proxyProtocol: "v1" | "v2" | undefined;
};

export interface TransportMatch {
  readonly name: string;
  /** All must be equal to the endpoint's `envoy.transport_socket_match` metadata; none: always. */
  readonly criteria: ReadonlyMap<string, string>;
  readonly transport: Transport;
}

/** Beyond these a request fails at once with the response flag UO. */
export interface ClusterLimits {
  readonly maxConnections: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Requests that may wait for a connection when there are `maxConnections`. */
  readonly maxPending: number;
  /** Instead of `maxRetries`: this part of the running requests, and at least so many. */
  readonly retryBudget:
    | {
        readonly percent: number;
        readonly minimum: number;
        /** Requests that were begun within this time count beside those that run; 0: none of them. */
        readonly intervalMs: number;
      }
    | undefined;
}

/** After so many failures in a row a host is ejected. `enforcing` is the probability that it then is, 0 to 1. */
export interface OutlierRules {
  readonly consecutive5xx: { readonly count: number; readonly enforcing: number };
  readonly consecutiveGateway: { readonly count: number; readonly enforcing: number };
  /** Failures to connect by themselves; undefined: they count as gateway errors. */
  readonly consecutiveLocal: { readonly count: number; readonly enforcing: number } | undefined;
  /** For the first time; twice as long for the second, and so on. */
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  /** The statuses that are errors; undefined: those of 500 and above. */
  readonly errorStatuses: ReadonlySet<number> | undefined;
}

export interface Endpoint {
  /** IP address, path of a unix socket (`@name` is abstract), or a name where the cluster looks names up. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** At least 1. */
  readonly weight: number;
  readonly healthy: boolean;
  /** 0 is used first. */
  readonly priority: number;
  /** Endpoints of one place and priority; weighed as a whole where the cluster balances by locality. */
  readonly locality: { readonly name: string; readonly weight: number };
  /** Of the metadata `envoy.transport_socket_match`. */
  readonly transportMatch: ReadonlyMap<string, string>;
  /** Istio's `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`; empty when not told. */
  readonly workload: string;
}

/** What EDS delivers. */
export interface LoadAssignment {
  readonly service: string;
  readonly endpoints: readonly Endpoint[];
}
