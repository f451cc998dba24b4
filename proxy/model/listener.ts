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
  /** IP address, or path of a unix socket (`@name` is abstract). */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** At `::` it is for IPv4 too. */
  readonly ipv4Compat: boolean;
  readonly direction: "inbound" | "outbound" | "unspecified";
  /** Whether it has its port. One that has not takes what others hand over. */
  readonly binds: boolean;
  /**
   * Captured connections come in: their destination is where they were going before (SO_ORIGINAL_DST). `hand-over`: to
   * the listener of that destination, where there is one.
   */
  readonly captured: "keep" | "hand-over" | undefined;
  /** Look for a TLS ClientHello before choosing a chain. */
  readonly inspectTls: Inspection;
  /** Look whether plain bytes are HTTP. */
  readonly inspectHttp: Inspection;
  /** How long a new connection may say nothing while it is inspected. */
  readonly inspectTimeoutMs: number;
  /** Then it counts as plain bytes (a server that speaks first) instead of being closed. */
  readonly continueAfterInspectTimeout: boolean;
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
}

/** Connections whose first bytes are looked at; `unless`: not those to such ports. */
export type Inspection = false | { readonly unless: PortRule | undefined };

export type PortRule =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly rules: readonly PortRule[] }
  | { readonly kind: "not"; readonly rule: PortRule }
  /** `end` is not in it. */
  | { readonly kind: "range"; readonly start: number; readonly end: number };

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
  /** Callers are outside the mesh: nothing that they say of where they come from is believed. */
  readonly edge: EdgeRules | undefined;
  /** What `server` says in every answer; undefined: what the upstream says, and `lateen` where there is none. */
  readonly serverName: string | undefined;
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

export interface EdgeRules {
  /** Callers from here are told apart as `x-envoy-internal`. */
  readonly internal: readonly Cidr[];
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
  /** Has names looked up for clusters that are called by name, which do that by themselves here. */
  | { readonly kind: "dynamic-dns" }
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
