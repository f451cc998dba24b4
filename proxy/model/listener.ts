import type { JwtAuthentication } from "../../mesh/jwt/authentication.ts";
import type { AccessLogs } from "./access-log.ts";
import type { ExtAuthz } from "./ext-authz.ts";
import type { Http2Settings } from "./http2.ts";
import type { Cidr } from "./match.ts";
import type { RbacFilter } from "./rbac.ts";
import type { Fault, RouteConfiguration } from "./route.ts";
import type { DownstreamTls } from "./tls.ts";
import type { Tracing } from "./tracing.ts";

/** A port that the proxy listens on. */
export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly direction: "inbound" | "outbound" | "unspecified";
  /** Look for a TLS ClientHello before choosing a chain. */
  readonly inspectTls: boolean;
  /** Look whether plain bytes are HTTP. */
  readonly inspectHttp: boolean;
  /** How long a new connection may say nothing while it is inspected. */
  readonly inspectTimeoutMs: number;
  /** Then it counts as plain bytes (a server that speaks first) instead of being closed. */
  readonly continueAfterInspectTimeout: boolean;
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
}

export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly tls: DownstreamTls | undefined;
  readonly rbac: readonly RbacFilter[];
  readonly terminal: HttpConnectionManager | TcpProxy;
}

/** Empty fields match everything. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly prefixRanges: readonly Cidr[];
  readonly sourceRanges: readonly Cidr[];
  /** Exact or `*.suffix`; lower case. */
  readonly serverNames: readonly string[];
  readonly transport: "tls" | "raw_buffer" | undefined;
  /** What TLS offers, or the HTTP inspector has found: `http/1.0`, `http/1.1` or `h2c`. */
  readonly alpn: readonly string[];
}

export interface HttpConnectionManager {
  readonly kind: "http";
  readonly statPrefix: string;
  readonly routes:
    | { readonly kind: "rds"; readonly name: string }
    | { readonly kind: "inline"; readonly config: RouteConfiguration };
  readonly filters: readonly HttpFilter[];
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  /** Escaped slashes and backslashes (`%2F`, `%5C`) count as slashes, before anything else is done. */
  readonly unescapeSlashes: boolean;
  readonly forwardClientCert: "sanitize" | "forward" | "append" | "sanitize-set" | "always-forward";
  readonly clientCertDetails: {
    readonly subject: boolean;
    readonly uri: boolean;
    readonly dns: boolean;
    readonly cert: boolean;
  };
  readonly generateRequestId: boolean;
  /** `auto`: by ALPN, or by the first bytes. */
  readonly codec: "auto" | "http1" | "http2";
  readonly http2: Http2Settings;
  readonly maxRequestHeadersKb: number;
  readonly requestHeadersTimeoutMs: number;
  /** Whole request, head and body; 0 is without limit. */
  readonly requestTimeoutMs: number;
  /** No byte in either direction for this long; 0 is without limit. */
  readonly streamIdleTimeoutMs: number;
  /** Keep-alive connections without a request are closed after this long. */
  readonly idleTimeoutMs: number;
  /** Lower case, for example `websocket`. */
  readonly upgrades: ReadonlySet<string>;
  readonly accessLog: AccessLogs;
  /** Undefined: requests are not traced. */
  readonly tracing: Tracing | undefined;
}

export type HttpFilter =
  | { readonly kind: "rbac"; readonly rbac: RbacFilter }
  | { readonly kind: "ext-authz"; readonly authorizer: ExtAuthz }
  | { readonly kind: "jwt"; readonly authentication: JwtAuthentication }
  /** Takes its settings from the route where that has some. */
  | { readonly kind: "fault"; readonly fault: Fault | undefined }
  /** Answers preflights, and tells browsers who may read answers, by what routes say. */
  | { readonly kind: "cors" }
  /** Asks for the virtual host of a request that none is for, where the routes allow it (VHDS). */
  | { readonly kind: "on-demand" }
  | { readonly kind: "router" };

/** What an HTTP proxy is asked to connect to: `host:port`. */
export interface Tunnel {
  readonly target: string;
  readonly method: "CONNECT" | "POST";
}

export interface TcpProxy {
  readonly kind: "tcp";
  readonly statPrefix: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** No byte in either direction for this long; 0 is without limit. */
  readonly idleTimeoutMs: number;
  /** How long a connection waits for a cluster that is asked for then (ODCDS); undefined: none is asked for. */
  readonly onDemandMs: number | undefined;
  /** The connection is closed after so long whatever it does; 0 is without limit. */
  readonly longestMs: number;
  /** The caller's address leads it to an endpoint, where the cluster balances by hash. */
  readonly hashesSource: boolean;
  /** The endpoints are HTTP proxies that lead on. */
  readonly tunnel: Tunnel | undefined;
  /** Endpoints that are tried before the connection is given up. */
  readonly maxConnectAttempts: number;
  readonly accessLog: AccessLogs;
}
