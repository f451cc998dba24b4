import type { HeaderList } from "../../tables/header-list.ts";
import { normalizePath, type PathRules } from "./path.ts";

export type ScreenedRequest =
  | { readonly ok: true; readonly path: string; readonly query: string; readonly authority: string }
  /** `detail` is for logs: the sender is told the status alone. */
  | { readonly ok: false; readonly status: 400 | 405 | 426 | 501; readonly detail: string };

interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: HeaderList;
}

/** `name`, `1.2.3.4` or `[::1]`, with or without a port. */
const AUTHORITY = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Headers that decide framing or identity: a spelling that some server folds into them is as bad as the header. */
const SENSITIVE = new Set([
  "transfer-encoding",
  "content-length",
  "host",
  "connection",
  "x-forwarded-client-cert",
  "x-forwarded-proto",
]);

/**
 * What may pass, of what node:http's strict parser lets through (RFC 9112 §3, §6; measured gaps in
 * security-and-reliability.md §5). An allow-list: a request that two servers could read in two ways is refused.
 */
export function screenRequest(head: RequestHead, rules: PathRules): ScreenedRequest {
  if (head.httpVersion !== "1.1") return refuse(426, "http version");
  const framing = framingProblem(head.headers);
  if (framing) return framing;
  const disguised = head.headers
    .names()
    .find((name) => name.includes("_") && SENSITIVE.has(name.replaceAll("_", "-")));
  if (disguised !== undefined) return refuse(400, "disguised header");
  const authority = head.headers.get("host");
  if (head.headers.count("host") !== 1 || authority === undefined || !AUTHORITY.test(authority)) {
    return refuse(400, "host");
  }
  return screenTarget(head, authority, rules);
}

function framingProblem(headers: HeaderList): ScreenedRequest | undefined {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined && length !== undefined)
    return refuse(400, "content-length with transfer-encoding");
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return refuse(501, "transfer-encoding");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return refuse(400, "content-length");
  return undefined;
}

function screenTarget(head: RequestHead, authority: string, rules: PathRules): ScreenedRequest {
  const { target, method } = head;
  if (!/^[!-~]+$/.test(target) || /[#\\]/.test(target)) return refuse(400, "request target");
  if (target === "*") {
    return method === "OPTIONS"
      ? { ok: true, path: "*", query: "", authority }
      : refuse(400, "request target");
  }
  const origin = target.startsWith("/") ? target : originForm(target, authority);
  if (origin === undefined) return refuse(400, "absolute request target");
  const mark = origin.indexOf("?");
  const path = normalizePath(mark < 0 ? origin : origin.slice(0, mark), rules);
  if (!path.ok) return refuse(400, path.reason);
  return { ok: true, path: path.path, query: mark < 0 ? "" : origin.slice(mark), authority };
}

/** Of `http://host/path`, where the host is the one of the Host header. */
function originForm(target: string, authority: string): string | undefined {
  const match = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (match?.[1]?.toLowerCase() !== authority.toLowerCase()) return undefined;
  const rest = match[2] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function refuse(status: 400 | 405 | 426 | 501, detail: string): ScreenedRequest {
  return { ok: false, status, detail };
}
