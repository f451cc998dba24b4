import type { HiddenParts } from "./hidden-parts.ts";

/** A call as the network sees it: a connection, and on it (unless it is plain TCP) one request. */
export interface Call {
  /** Where the caller connects to; under interception this is the original destination. */
  readonly address: string;
  readonly port: number;
  /** `http2`: with prior knowledge, or agreed on by ALPN. */
  readonly protocol: "http" | "http2" | "tcp";
  /** The ClientHello; undefined: plain text. */
  readonly tls: ClientHello | undefined;
  readonly method: string;
  /** `Host` or `:authority`, with its port if the caller sends one. */
  readonly host: string;
  /** With the query. */
  readonly path: string;
  /** Further headers in the order of sending; a name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly source: CallSource;
  /** How the connection reaches a proxy that intercepts: from its own application, or from the network. */
  readonly direction: "outbound" | "inbound";
  /** Undefined: nothing about the call is hidden. */
  readonly hidden: HiddenParts | undefined;
}

export interface ClientHello {
  readonly sni: string;
  readonly alpn: readonly string[];
}

interface CallSource {
  readonly address: string;
  /** Undefined: some port that no rule asks for. */
  readonly port: number | undefined;
  /** SPIFFE ID in the client's certificate; undefined: it shows none. */
  readonly principal: string | undefined;
}

/** The caller that a test or a user who says no more means: the application on the proxy's own host, in plain text. */
export const PLAIN_CALL: Call = {
  address: "127.0.0.1",
  port: 80,
  protocol: "http",
  tls: undefined,
  method: "GET",
  host: "",
  path: "/",
  headers: [],
  source: { address: "127.0.0.1", port: undefined, principal: undefined },
  direction: "outbound",
  hidden: undefined,
};
