import { RE2JS } from "re2js";
import type { PathMatch, PathRewrite, RedirectAction } from "../model/route.ts";
import type { RequestFacts } from "./facts.ts";

export type PathEdit = (path: string) => string;

/** A prefix rewrite replaces what the route matched: the prefix, or the whole path of an exact or regex match. */
export function compileRewrite(rewrite: PathRewrite, match: PathMatch): PathEdit {
  if (rewrite.kind === "regex") {
    const pattern = RE2JS.compile(rewrite.pattern);
    const { substitution } = rewrite;
    return (path) =>
      rooted(pattern.matcher(path).replaceAll((...groups: string[]) => fill(substitution, groups)));
  }
  if (match.kind === "exact" || match.kind === "regex") return () => rooted(rewrite.value);
  const { length } = match.value;
  return (path) => rooted(rewrite.value + path.slice(length));
}

/** RE2 refers to groups as `\1`; `\0` is the whole match and `\\` a backslash. */
function fill(substitution: string, groups: readonly string[]): string {
  return substitution.replace(/\\(\d|\\)/g, (_, what: string) =>
    what === "\\" ? "\\" : (groups[Number(what)] ?? ""),
  );
}

/** An empty result would not be a request target. */
function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

export function compileRedirect(action: RedirectAction, match: PathMatch): (request: RequestFacts) => string {
  const rewrite = action.rewrite && compileRewrite(action.rewrite, match);
  return (request) => {
    const scheme = action.scheme ?? request.scheme;
    const host = redirectHost(action, request, scheme);
    return `${scheme}://${host}${redirectTarget(action, request, rewrite)}`;
  };
}

function redirectHost(action: RedirectAction, request: RequestFacts, scheme: string): string {
  const port = /:(\d+)$/.exec(request.authority)?.[1];
  const name = action.host ?? (port ? request.authority.slice(0, -port.length - 1) : request.authority);
  if (action.port !== undefined) return `${name}:${action.port}`;
  if (action.host !== undefined) return name;
  // Envoy drops a default port that belongs to the scheme it redirects away from.
  const stale = (scheme === "https" && port === "80") || (scheme === "http" && port === "443");
  return port === undefined || (action.scheme !== undefined && stale) ? name : `${name}:${port}`;
}

function redirectTarget(
  action: RedirectAction,
  request: RequestFacts,
  rewrite: PathEdit | undefined,
): string {
  const path = action.path ?? (rewrite ? rewrite(request.path) : request.path);
  return path.includes("?") || action.stripQuery ? path : path + request.query;
}
