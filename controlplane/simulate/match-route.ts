import type { RouteMatch } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { fractionOf } from "./fraction.ts";
import { firstHeader, type HttpRequest } from "./http-request.ts";
import { headerMatcherText, matchHeader, matchQueryParameter, queryMatcherText } from "./match-header.ts";
import { matchMetadata } from "./match-metadata.ts";
import { matchRegex } from "./match-string.ts";

/** Part of such requests that a route takes: 0 when it does not match, less than 1 for a runtime fraction. */
export function matchRoute(match: RouteMatch, request: HttpRequest): number {
  const matches =
    matchPath(match, request) &&
    match.headers.every((one) => matchHeader(one, request)) &&
    match.queryParameters.every((one) => matchQueryParameter(one, request.query)) &&
    (match.grpc === undefined || isGrpc(request)) &&
    match.dynamicMetadata.every((one) => matchMetadata(one, request.metadata));
  if (!matches) return 0;
  return match.runtimeFraction === undefined ? 1 : fractionOf(match.runtimeFraction.defaultValue);
}

function matchPath(match: RouteMatch, { method, path }: HttpRequest): boolean {
  if (match.connectMatcher !== undefined) return method === "CONNECT";
  if (match.safeRegex !== undefined) return matchRegex(match.safeRegex, path);
  const fold = (text: string): string => (match.caseSensitive === false ? text.toLowerCase() : text);
  const given = fold(path);
  if (match.path !== undefined) return given === fold(match.path);
  if (match.prefix !== undefined) return given.startsWith(fold(match.prefix));
  if (match.pathSeparatedPrefix !== undefined) {
    const prefix = fold(match.pathSeparatedPrefix);
    return given === prefix || given.startsWith(`${prefix}/`);
  }
  return false;
}

function isGrpc(request: HttpRequest): boolean {
  return /^application\/grpc(\+|$)/.test(firstHeader(request, "content-type") ?? "");
}

/** What a route asks for, in words: `/api*, x-user = jason`. */
export function routeMatchText(match: RouteMatch): string {
  const fraction = match.runtimeFraction && fractionOf(match.runtimeFraction.defaultValue);
  return [
    pathText(match),
    ...match.headers.map(headerMatcherText),
    ...match.queryParameters.map(queryMatcherText),
    ...(match.grpc === undefined ? [] : ["gRPC"]),
    ...(match.dynamicMetadata.length === 0 ? [] : ["dynamic metadata"]),
    ...(fraction === undefined ? [] : [`${fraction * 100} % of the calls`]),
  ].join(", ");
}

function pathText(match: RouteMatch): string {
  const fold = match.caseSensitive === false ? " in any case" : "";
  if (match.connectMatcher !== undefined) return "CONNECT";
  if (match.safeRegex !== undefined) return `path ~ ${match.safeRegex.regex}`;
  if (match.path !== undefined) return `path ${match.path}${fold}`;
  if (match.pathSeparatedPrefix !== undefined) return `path ${match.pathSeparatedPrefix}[/*]${fold}`;
  if (match.prefix === "/") return "any path";
  return `path ${match.prefix ?? ""}*${fold}`;
}
