import type { HeaderList } from "../../tables/header-list.ts";

/** Belong to one connection (RFC 9110 §7.6.1) or offer what is not passed on: trailers, h2c. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** A peer must not get rid of these by naming them in `Connection`. */
const PROTECTED: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "authorization",
  "cookie",
  "set-cookie",
  "date",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-request-id",
  "traceparent",
  "tracestate",
]);

const PROTECTED_PREFIXES = ["x-lateen-", "x-envoy-", "x-b3-"];

/** Removes hop-by-hop headers and those that `Connection` names. */
export function removeHopByHop(headers: HeaderList): void {
  const named = new Set(
    (headers.get("connection") ?? "")
      .split(",")
      .map((token) => token.trim().toLowerCase())
      .filter((token) => !isProtected(token)),
  );
  headers.keep((name) => !HOP_BY_HOP.has(name) && !named.has(name));
}

function isProtected(name: string): boolean {
  return PROTECTED.has(name) || PROTECTED_PREFIXES.some((prefix) => name.startsWith(prefix));
}
