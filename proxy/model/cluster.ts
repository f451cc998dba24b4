import type { UpstreamTls } from "./tls.ts";

/** A group of equal endpoints and how they are called. */
export interface Cluster {
  readonly name: string;
  readonly source:
    | { readonly kind: "static"; readonly endpoints: readonly Endpoint[] }
    | { readonly kind: "eds"; readonly service: string };
  readonly policy: "LEAST_REQUEST" | "ROUND_ROBIN" | "RANDOM";
  readonly connectTimeoutMs: number;
  /** The first whose criteria an endpoint's metadata meets; otherwise `transport`. */
  readonly transportMatches: readonly TransportMatch[];
  readonly transport: Transport;
  readonly limits: ClusterLimits;
  /** Hosts that keep failing are left out for a while. */
  readonly outlier: OutlierRules | undefined;
  /** 0 is without limit. */
  readonly maxRequestsPerConnection: number;
  /** Idle upstream connections are closed after this long. */
  readonly idleTimeoutMs: number;
}

export type Transport = { readonly kind: "plain" } | { readonly kind: "tls"; readonly tls: UpstreamTls };

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
}

/** After so many failures in a row a host is ejected. `enforcing` is the probability that it then is, 0 to 1. */
export interface OutlierRules {
  readonly consecutive5xx: { readonly count: number; readonly enforcing: number };
  readonly consecutiveGateway: { readonly count: number; readonly enforcing: number };
  /** For the first time; twice as long for the second, and so on. */
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** At least 1. */
  readonly weight: number;
  readonly healthy: boolean;
  /** 0 is used first. */
  readonly priority: number;
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
