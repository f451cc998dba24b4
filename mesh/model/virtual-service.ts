import type { HeaderOperations, StringMatch } from "./match.ts";

/** `networking.istio.io` VirtualService: how calls to a set of hosts are routed. Times are milliseconds. */
export interface VirtualServiceSpec {
  readonly hosts: readonly string[];
  readonly gateways: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
  readonly exportTo: readonly string[];
}

export interface HttpRoute {
  readonly name: string;
  /** Empty: matches everything. The route applies when any of them matches. */
  readonly match: readonly HttpMatch[];
  readonly route: readonly HttpRouteDestination[];
  readonly redirect: HttpRedirect | undefined;
  readonly directResponse: { readonly status: number; readonly body: string | Uint8Array } | undefined;
  /** The VirtualService whose HTTP routes stand in this one's place. */
  readonly delegate: Delegate | undefined;
  readonly rewrite: HttpRewrite | undefined;
  /** 0 or undefined: no time-out. */
  readonly timeoutMs: number | undefined;
  readonly retries: RetryPolicy | undefined;
  readonly fault: FaultInjection | undefined;
  readonly mirror: Destination | undefined;
  /** Which share of the requests `mirror` gets, 0 to 100; undefined: nothing was said. */
  readonly mirrorPercent: number | undefined;
  readonly mirrors: readonly Mirror[];
  readonly cors: CorsPolicy | undefined;
  readonly headers: HeaderOperations;
}

export interface HttpMatch {
  readonly name: string;
  readonly uri: StringMatch | undefined;
  readonly ignoreUriCase: boolean;
  readonly scheme: StringMatch | undefined;
  readonly method: StringMatch | undefined;
  readonly authority: StringMatch | undefined;
  readonly headers: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders: Readonly<Record<string, StringMatch>>;
  readonly queryParams: Readonly<Record<string, StringMatch>>;
  readonly port: number | undefined;
  readonly sourceLabels: Readonly<Record<string, string>>;
  readonly sourceNamespace: string;
  readonly gateways: readonly string[];
  /** Names the statistics of what matches; empty: none. */
  readonly statPrefix: string;
}

export interface Delegate {
  readonly name: string;
  /** Empty: that of the VirtualService which delegates. */
  readonly namespace: string;
}

export interface Mirror {
  readonly destination: Destination;
  /** 0 to 100. */
  readonly percent: number;
}

export interface CorsPolicy {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean | undefined;
  /** What becomes of a preflight from an origin that is not allowed; undefined: Envoy's default, forward. */
  readonly unmatchedPreflights: "FORWARD" | "IGNORE" | undefined;
}

export interface Destination {
  readonly host: string;
  readonly subset: string;
  readonly port: number | undefined;
}

interface HttpRouteDestination {
  readonly destination: Destination;
  readonly weight: number;
  readonly headers: HeaderOperations;
}

export interface HttpRedirect {
  readonly uri: string;
  readonly authority: string;
  readonly scheme: string;
  readonly port: number | undefined;
  readonly derivePort: "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT" | undefined;
  /** Replaces the prefix that matched; empty: the path stays, unless `uri` is given. */
  readonly prefixRewrite: string;
  readonly code: 301 | 302 | 303 | 307 | 308;
}

export interface HttpRewrite {
  readonly uri: string;
  readonly authority: string;
  /** RE2; `rewrite` may use `\\1`. */
  readonly uriRegex: { readonly match: string; readonly rewrite: string } | undefined;
}

export interface RetryPolicy {
  /** 0 turns retries off. */
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  /** Envoy's comma-separated conditions; empty: the mesh's default. */
  readonly retryOn: string;
  readonly retryRemoteLocalities: boolean;
  /** Undefined: the mesh's default, which is to try another host. */
  readonly retryIgnorePreviousHosts: boolean | undefined;
  /** Least time between tries. */
  readonly backoffMs: number | undefined;
}

export interface FaultInjection {
  readonly delay: { readonly fixedDelayMs: number; readonly percent: number } | undefined;
  readonly abort:
    | {
        readonly percent: number;
        readonly httpStatus: number | undefined;
        readonly grpcStatus: string | undefined;
      }
    | undefined;
}

export interface L4Match {
  readonly destinationSubnets: readonly string[];
  /** Empty: any. */
  readonly sourceSubnet: string;
  readonly port: number | undefined;
  readonly sourceLabels: Readonly<Record<string, string>>;
  readonly sourceNamespace: string;
  readonly gateways: readonly string[];
}

interface RouteDestination {
  readonly destination: Destination;
  readonly weight: number;
}

export interface TcpRoute {
  readonly match: readonly L4Match[];
  readonly route: readonly RouteDestination[];
}

export interface TlsRoute {
  readonly match: readonly (L4Match & { readonly sniHosts: readonly string[] })[];
  readonly route: readonly RouteDestination[];
}
