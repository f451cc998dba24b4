import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  type HttpConnectionManager,
} from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { Call } from "./call.ts";
import type { Metadata } from "./match-metadata.ts";
import {
  escapedSlashesToSlashes,
  hasEscapedSlash,
  mergeSlashes,
  normalizePath,
} from "./path-normalization.ts";
import { type Failure, failure, type RedirectStep } from "./verdict.ts";

/** A request as the routes see it. */
export interface HttpRequest {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** Without the query. */
  readonly path: string;
  /** With its question mark; empty when there is none. */
  readonly query: string;
  /** What filters have left behind about it. */
  readonly metadata: Metadata;
  /** The values of a header, in the order of sending. Knows the pseudo headers too. */
  headerValues(name: string): readonly string[];
}

export type ReadRequest =
  | { readonly kind: "request"; readonly request: HttpRequest }
  | { readonly kind: "redirect"; readonly redirect: RedirectStep }
  | { readonly kind: "error"; readonly error: Failure };

/** What the connection manager makes of a request before it looks for a route: path and host are put in order. */
export function readRequest(manager: HttpConnectionManager, call: Call): ReadRequest {
  if (call.path.includes("#")) {
    return { kind: "error", error: failure("bad-request", "the path has a fragment", 400) };
  }
  const queryAt = call.path.indexOf("?");
  const query = queryAt < 0 ? "" : call.path.slice(queryAt);
  const raw = queryAt < 0 ? call.path : call.path.slice(0, queryAt);
  const authority = strippedHost(manager, call);
  const scheme = schemeOf(manager, call);
  const path = normalized(manager, raw);
  if (path.kind === "refused") {
    return { kind: "error", error: failure("bad-request", path.reason, 400) };
  }
  if (path.kind === "redirect") {
    const location = `${path.path}${query}`;
    return { kind: "redirect", redirect: { kind: "redirect", status: 307, location } };
  }
  const request = httpRequest({ ...call, scheme, authority, path: path.path, query });
  return { kind: "request", request };
}

type RequestParts = Pick<Call, "method" | "headers"> &
  Pick<HttpRequest, "scheme" | "authority" | "path" | "query">;

export function httpRequest({ method, headers, scheme, authority, path, query }: RequestParts): HttpRequest {
  const own: Readonly<Record<string, string>> = {
    ":method": method,
    ":scheme": scheme,
    ":authority": authority,
    ":path": path + query,
    // Host is only another name of :authority.
    host: authority,
    // The connection manager sets both on every request.
    "x-forwarded-proto": scheme,
    "x-request-id": "(generated)",
  };
  const named = namedInConnection(headers);
  const sent = Map.groupBy(
    headers.filter(([name]) => !named.has(name.toLowerCase())),
    ([name]) => name.toLowerCase(),
  );
  const headerValues = (name: string): readonly string[] => {
    const key = name.toLowerCase();
    const set = own[key];
    return set === undefined ? (sent.get(key) ?? []).map(([, value]) => value.trim()) : [set];
  };
  return { method, scheme, authority, path, query, metadata: {}, headerValues };
}

/** What a caller says is for this connection only; a token is never taken for that. */
function namedInConnection(headers: RequestParts["headers"]): ReadonlySet<string> {
  const named = headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(",").map((name) => name.trim().toLowerCase()));
  return new Set(named.filter((name) => name !== "authorization" && !name.startsWith("x-forwarded-")));
}

/** The first value of a header. */
export function firstHeader(request: HttpRequest, name: string): string | undefined {
  return request.headerValues(name)[0];
}

function schemeOf(
  { useRemoteAddress, schemeHeaderTransformation }: HttpConnectionManager,
  call: Call,
): "http" | "https" {
  const forced = schemeHeaderTransformation?.schemeToOverwrite;
  if (forced === "http" || forced === "https") return forced;
  const [, forwarded] = call.headers.find(([name]) => name.toLowerCase() === "x-forwarded-proto") ?? [];
  // An edge proxy believes only its own connection; others believe the proxy before them.
  if (useRemoteAddress !== true && (forwarded === "http" || forwarded === "https")) return forwarded;
  return call.tls === undefined ? "http" : "https";
}

function strippedHost(manager: HttpConnectionManager, { host, port }: Call): string {
  const { stripTrailingHostDot, stripAnyHostPort, stripMatchingHostPort } = manager;
  const undotted = stripTrailingHostDot ? host.replace(/\.(?=:\d+$|$)/, "") : host;
  const at = portStart(undotted);
  if (at === undefined) return undotted;
  const named = Number(undotted.slice(at + 1));
  const strip = stripAnyHostPort === true || (stripMatchingHostPort && named === port);
  return strip && named > 0 ? undotted.slice(0, at) : undotted;
}

/** Where the port's colon stands; colons inside an IPv6 address in brackets are not one. */
export function portStart(host: string): number | undefined {
  const colon = host.lastIndexOf(":");
  return colon < 0 || host.lastIndexOf("]") > colon ? undefined : colon;
}

type NormalizedPath =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "redirect"; readonly path: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Envoy's order: escaped slashes, then dot segments, then double slashes. */
function normalized(manager: HttpConnectionManager, raw: string): NormalizedPath {
  if (!raw.startsWith("/")) return { kind: "path", path: raw };
  const action = manager.pathWithEscapedSlashesAction;
  const escaped = hasEscapedSlash(raw);
  if (escaped && action === EscapedSlashes.REJECT_REQUEST) {
    return { kind: "refused", reason: "the path has an escaped slash" };
  }
  const unescapes =
    action === EscapedSlashes.UNESCAPE_AND_FORWARD || action === EscapedSlashes.UNESCAPE_AND_REDIRECT;
  const unescaped = escaped && unescapes ? escapedSlashesToSlashes(raw) : raw;
  const plain = manager.normalizePath === true ? normalizePath(unescaped) : unescaped;
  if (plain === undefined) return { kind: "refused", reason: "the path cannot be normalized" };
  const path = manager.mergeSlashes ? mergeSlashes(plain) : plain;
  const redirects = escaped && action === EscapedSlashes.UNESCAPE_AND_REDIRECT;
  return { kind: redirects ? "redirect" : "path", path };
}
