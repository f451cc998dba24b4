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
  readonly directResponse: { readonly status: number; readonly body: string } | undefined;
  readonly rewrite: HttpRewrite | undefined;
  /** 0 or undefined: no time-out. */
  readonly timeoutMs: number | undefined;
  readonly retries: RetryPolicy | undefined;
  readonly fault: FaultInjection | undefined;
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
}

export interface Destination {
  readonly host: string;
  readonly subset: string;
  readonly port: number | undefined;
}

export interface HttpRouteDestination {
  readonly destination: Destination;
  readonly weight: number;
  readonly headers: HeaderOperations;
}

export interface HttpRedirect {
  readonly uri: string;
  readonly authority: string;
  readonly scheme: string;
  readonly port: number | undefined;
  readonly code: 301 | 302 | 303 | 307 | 308;
}

export interface HttpRewrite {
  readonly uri: string;
  readonly authority: string;
}

export interface RetryPolicy {
  /** 0 turns retries off. */
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  /** Envoy's comma-separated conditions; empty: the mesh's default. */
  readonly retryOn: string;
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
