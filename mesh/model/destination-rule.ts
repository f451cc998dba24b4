/** `networking.istio.io` DestinationRule: how a host is called once routing has chosen it. Times are milliseconds. */
export interface DestinationRuleSpec {
  readonly host: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  readonly exportTo: readonly string[];
  /** Empty: all clients. */
  readonly workloadSelector: Readonly<Record<string, string>>;
}

export interface Subset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly trafficPolicy: TrafficPolicy | undefined;
}

export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer | undefined;
  readonly connectionPool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTls | undefined;
  readonly portLevelSettings: readonly PortTrafficPolicy[];
  readonly tunnel: Tunnel | undefined;
  readonly proxyProtocol: "V1" | "V2" | undefined;
  readonly retryBudget: RetryBudget | undefined;
}

/** Calls go through an HTTP CONNECT (or POST) to the host that the rule is for. */
export interface Tunnel {
  readonly protocol: "CONNECT" | "POST";
  readonly targetHost: string;
  readonly targetPort: number;
}

export interface RetryBudget {
  /** Of active requests, 0 to 100; undefined: 20. */
  readonly percent: number | undefined;
  readonly minRetryConcurrency: number | undefined;
  /** Undefined: those that are active now. */
  readonly budgetIntervalMs: number | undefined;
}

export interface PortTrafficPolicy {
  readonly port: number;
  readonly loadBalancer: LoadBalancer | undefined;
  readonly connectionPool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTls | undefined;
}

export interface LoadBalancer {
  /** Undefined: the mesh's default, LEAST_REQUEST. */
  readonly simple: "ROUND_ROBIN" | "LEAST_REQUEST" | "RANDOM" | "PASSTHROUGH" | undefined;
  readonly consistentHash: ConsistentHash | undefined;
  readonly locality: LocalityLoadBalancing | undefined;
  readonly warmup: Warmup | undefined;
}

export interface ConsistentHash {
  readonly key:
    | { readonly kind: "header"; readonly name: string }
    | {
        readonly kind: "cookie";
        readonly name: string;
        readonly path: string;
        /** 0: a session cookie; undefined: the proxy makes none. */
        readonly ttlMs: number | undefined;
        readonly attributes: readonly { readonly name: string; readonly value: string }[];
      }
    | { readonly kind: "source-ip" }
    | { readonly kind: "query"; readonly name: string };
  readonly algorithm:
    | { readonly kind: "ring"; readonly minimumRingSize: number | undefined }
    | { readonly kind: "maglev"; readonly tableSize: number | undefined };
}

/** `localityLbSetting`, and `zoneAwareLbSetting` as far as it says the same. Never both `distribute` and `failover`. */
export interface LocalityLoadBalancing {
  /** False: localities do not matter. */
  readonly enabled: boolean;
  /** `to`: locality pattern (`region/zone/*`) to per cent, 100 in all. */
  readonly distribute: readonly {
    readonly from: string;
    readonly to: Readonly<Record<string, number>>;
  }[];
  /** Regions. */
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Labels, `key` or `key=value`, most important first. */
  readonly failoverPriority: readonly string[];
}

export interface Warmup {
  readonly durationMs: number;
  /** 0 to 100; undefined: Envoy's default, 10. */
  readonly minimumPercent: number | undefined;
  readonly aggression: number | undefined;
}

/** Undefined fields are unlimited, as in Istio. */
export interface ConnectionPool {
  readonly maxConnections: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly maxPendingRequests: number | undefined;
  readonly maxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxRetries: number | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  readonly maxConnectionDurationMs: number | undefined;
  /** Of TCP connections. */
  readonly tcpIdleTimeoutMs: number | undefined;
  /** Of HTTP connections without a request. */
  readonly idleTimeoutMs: number | undefined;
  readonly h2UpgradePolicy: "DO_NOT_UPGRADE" | "UPGRADE" | undefined;
  /** Speak to the endpoint what the caller speaks. */
  readonly useClientProtocol: boolean;
  readonly maxConcurrentStreams: number | undefined;
  readonly http2KeepAlive:
    | { readonly intervalMs: number | undefined; readonly timeoutMs: number | undefined }
    | undefined;
}

export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeMs: number | undefined;
  readonly intervalMs: number | undefined;
}

export interface OutlierDetection {
  readonly consecutive5xxErrors: number | undefined;
  readonly consecutiveGatewayErrors: number | undefined;
  readonly splitExternalLocalOriginErrors: boolean;
  readonly consecutiveLocalOriginFailures: number | undefined;
  /** Status codes that count as errors; empty: 5xx. */
  readonly httpErrorCodes: readonly number[];
  readonly intervalMs: number | undefined;
  readonly baseEjectionTimeMs: number | undefined;
  readonly maxEjectionPercent: number | undefined;
  readonly minHealthPercent: number | undefined;
}

export interface ClientTls {
  readonly mode: "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";
  readonly sni: string;
  readonly subjectAltNames: readonly string[];
  readonly clientCertificate: string;
  readonly privateKey: string;
  readonly caCertificates: string;
  /** File of a revocation list. */
  readonly caCrl: string;
  /** Names a Secret of the caller's namespace; empty: files. */
  readonly credentialName: string;
  readonly insecureSkipVerify: boolean;
}
