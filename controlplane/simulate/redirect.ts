import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction,
  type RouteMatch,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { HttpRequest } from "./http-request.ts";
import { rewritePath } from "./rewrite.ts";
import type { RedirectStep } from "./verdict.ts";

const STATUS: Readonly<Record<number, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

export function redirectTo(action: RedirectAction, match: RouteMatch, request: HttpRequest): RedirectStep {
  const scheme = action.httpsRedirect ? "https" : action.schemeRedirect || request.scheme;
  const port = action.portRedirect === 0 ? "" : `:${action.portRedirect}`;
  const host = action.hostRedirect || keptHost(request, scheme, port !== "");
  const location = `${scheme}://${host}${port}${target(action, match, request)}`;
  return { kind: "redirect", status: STATUS[action.responseCode] ?? 301, location };
}

/** To where the same request would have come over TLS: what a virtual host that requires TLS answers. */
export function redirectToTls({ authority, path, query }: HttpRequest): RedirectStep {
  return { kind: "redirect", status: 301, location: `https://${authority}${path}${query}` };
}

/** The caller's host, without a port that is replaced or that was the default of the scheme it leaves. */
function keptHost({ authority, scheme: before }: HttpRequest, scheme: string, newPort: boolean): string {
  const at = authority.startsWith("[") ? authority.lastIndexOf("]:") + 1 : authority.lastIndexOf(":");
  if (at <= 0) return authority;
  const defaultPort = before === "https" ? ":443" : ":80";
  const stale = scheme !== before && authority.slice(at) === defaultPort;
  return newPort || stale ? authority.slice(0, at) : authority;
}

/** A query in the configured path takes the place of the caller's, and is not stripped. */
function target(action: RedirectAction, match: RouteMatch, { path, query }: HttpRequest): string {
  const { pathRedirect, prefixRewrite = "", regexRewrite, stripQuery } = action;
  if (pathRedirect?.includes("?")) return pathRedirect;
  const rewritten = pathRedirect || rewritePath({ prefixRewrite, regexRewrite }, match, path);
  return stripQuery ? rewritten : rewritten + query;
}
