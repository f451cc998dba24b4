/**
 * What an application speaks on a port. `mysql` and `mongo` are TCP whose first bytes are never waited for; `auto`:
 * nobody says it, and a connection's first bytes tell HTTP from the rest.
 */
export type Protocol = "http" | "http2" | "grpc" | "tcp" | "tls" | "mysql" | "mongo" | "auto";

export interface ServicePort {
  /** `http-9080` when nobody named it. */
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
}

/**
 * How a caller finds the endpoints: `static` (EDS), `dns` (all addresses of the endpoints' host names), `logical-dns`
 * (one of them at a time), `dynamic-dns` (the host of each call), `none` (the address that was called).
 */
type Resolution = "static" | "dns" | "logical-dns" | "dynamic-dns" | "none";

/**
 * `namespace/hostname`, and of a ServiceEntry how it is reached and by whom: a namespace has as many services of one host
 * as there are answers to that.
 */
export type ServiceKey = `${string}/${string}`;

/** A service of the mesh, or one outside it that a ServiceEntry describes. Several may have one host. */
export interface Service {
  /** Unique in the mesh. */
  readonly key: ServiceKey;
  /** Fully qualified: `reviews.default.svc.cluster.local`, or what a ServiceEntry says. */
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  readonly resolution: Resolution;
  /** Where it is called, beside its name: IP addresses, CIDR blocks of a ServiceEntry. The first is the service's VIP. */
  readonly addresses: readonly string[];
  /** True for what lives outside the mesh (no mTLS unless an endpoint says otherwise). */
  readonly external: boolean;
  /** SANs beside those of the endpoints' service accounts that a server of this service may present. */
  readonly subjectAltNames: readonly string[];
  /** Namespaces that see it: `["*"]`, `["."]` or names. */
  readonly exportTo: readonly string[];
  /** Milliseconds since the epoch: of services that a client sees as well as each other it gets the oldest. */
  readonly createdAt: number;
  /** `consul`, `embedded`, `agents`, or `ServiceEntry`. */
  readonly source: string;
}

/** Where one port of an endpoint is reached. */
export interface EndpointTarget {
  readonly servicePort: number;
  readonly address: string;
  readonly port: number;
}

/** One running instance behind a service. */
export interface Endpoint {
  /** Unique in the service and stable while the instance lives. */
  readonly id: string;
  readonly targets: readonly EndpointTarget[];
  readonly labels: Readonly<Record<string, string>>;
  /** True when a Lateen (or Istio) proxy takes its traffic: callers use mTLS. */
  readonly meshed: boolean;
  readonly namespace: string;
  /** Set when the instance has an identity. */
  readonly serviceAccount: string | undefined;
  readonly healthy: boolean;
  /** Relative share, at least 1. */
  readonly weight: number;
  /** `region/zone/subzone`, empty parts allowed; empty when unknown. */
  readonly locality: string;
  /** Empty: the default network, reachable directly. */
  readonly network: string;
  /** `namespace/name` of the workload, when an agent registered it. */
  readonly workload: string | undefined;
}
