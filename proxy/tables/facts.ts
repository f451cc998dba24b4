import type { RequestMetadata } from "./metadata.ts";

/** What is known of a connection when policy looks at it. */
export interface ConnectionFacts {
  /** IP address of the socket's other end. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** SNI; empty when there was none. */
  readonly serverName: string;
  /** The names by which the peer is known, verified: its SPIFFE ID, in the mesh. Undefined without mutual TLS. */
  readonly peer: readonly string[] | undefined;
}

/** What is known of a request when it is routed and judged: after normalisation, before any edit. */
export interface RequestFacts {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** With its question mark; empty when there is none. */
  readonly query: string;
  readonly authority: string;
  readonly scheme: string;
  readonly metadata: RequestMetadata;
  /** All values of a header, joined by commas; undefined when it is not there. `name` is lower case. */
  header(name: string): string | undefined;
  /** Each value of a header by itself, in order. `name` is lower case. */
  headerValues(name: string): readonly string[];
}

/** A header, or a pseudo header, of a request. */
export function headerOf(request: RequestFacts, name: string): string | undefined {
  switch (name) {
    case ":method":
      return request.method;
    case ":path":
      return request.path + request.query;
    case ":authority":
    case "host":
      return request.authority;
    case ":scheme":
      return request.scheme;
    default:
      return request.header(name);
  }
}

/** The values of a header, or of a pseudo header, each as the request has it. */
export function headerValuesOf(request: RequestFacts, name: string): readonly string[] {
  if (!name.startsWith(":") && name !== "host") return request.headerValues(name);
  const value = headerOf(request, name);
  return value === undefined ? [] : [value];
}
