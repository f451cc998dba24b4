import type { StringMatch } from "../../../mesh/model/match.ts";
import type { HttpMatch } from "../../../mesh/model/virtual-service.ts";
import {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import { RegexMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/regex.ts";
import { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { byText } from "../../snapshot/text-order.ts";
import { claimHas } from "../authn/jwt-metadata.ts";
import { claimPath } from "./jwt-claims.ts";

/** An HTTP match as Envoy asks it; undefined means every request. Port, source and gateways are decided before. */
export function routeMatch(match: HttpMatch | undefined): RouteMatch {
  if (match === undefined) return RouteMatch.fromPartial({ prefix: "/" });
  return RouteMatch.fromPartial({
    ...pathMatch(match),
    headers: [
      ...sorted(match.headers).flatMap(([name, value]) =>
        claimPath(name) === undefined ? [headerMatcher(name.toLowerCase(), value)] : [],
      ),
      ...sorted(match.withoutHeaders).flatMap(([name, value]) =>
        claimPath(name) === undefined ? [withoutHeader(name.toLowerCase(), value)] : [],
      ),
      ...pseudoHeader(":method", match.method),
      ...pseudoHeader(":authority", match.authority),
      ...pseudoHeader(":scheme", match.scheme),
    ],
    queryParameters: sorted(match.queryParams).map(([name, value]) => queryMatcher(name, value)),
    dynamicMetadata: [...claims(match.headers, false), ...claims(match.withoutHeaders, true)],
  });
}

/** A sidecar's calls carry no verified token, so there such a match is never met. */
function claims(headers: HttpMatch["headers"], invert: boolean): readonly MetadataMatcher[] {
  return sorted(headers).flatMap(([name, value]) => {
    const path = claimPath(name);
    return path === undefined ? [] : [claimHas(path, stringMatcher(value), invert)];
  });
}

function pathMatch({ uri, ignoreUriCase }: HttpMatch): Pick<RouteMatch, "path" | "prefix" | "safeRegex"> & {
  caseSensitive?: boolean;
} {
  // Envoy has no case for a regex: its author writes (?i).
  const caseSensitive = ignoreUriCase && uri?.kind !== "regex" ? { caseSensitive: false } : {};
  switch (uri?.kind) {
    case undefined:
    case "present":
      return { prefix: "/" };
    case "exact":
      return { path: uri.value, ...caseSensitive };
    case "prefix":
      return { prefix: uri.value, ...caseSensitive };
    case "regex":
      return uri.value === "*"
        ? { prefix: "/" }
        : { safeRegex: RegexMatcher.fromPartial({ regex: uri.value }) };
    default:
      return uri satisfies never;
  }
}

function pseudoHeader(name: string, match: StringMatch | undefined): readonly HeaderMatcher[] {
  return match === undefined ? [] : [headerMatcher(name, match)];
}

function headerMatcher(name: string, match: StringMatch): HeaderMatcher {
  const stringMatch = stringMatcher(match);
  return HeaderMatcher.fromPartial(
    stringMatch === undefined ? { name, presentMatch: true } : { name, stringMatch },
  );
}

/** True where the header is missing or another; a missing one counts as empty, so that it is "another" too. */
function withoutHeader(name: string, match: StringMatch): HeaderMatcher {
  const matcher = headerMatcher(name, match);
  matcher.invertMatch = true;
  matcher.treatMissingHeaderAsEmpty = matcher.stringMatch !== undefined;
  return matcher;
}

function queryMatcher(name: string, match: StringMatch): QueryParameterMatcher {
  const stringMatch = stringMatcher(match);
  return QueryParameterMatcher.fromPartial(
    stringMatch === undefined ? { name, presentMatch: true } : { name, stringMatch },
  );
}

/** Undefined: presence is enough. The regex `*` is Istio's old spelling of that. */
function stringMatcher(match: StringMatch): StringMatcher | undefined {
  switch (match.kind) {
    case "exact":
      return StringMatcher.fromPartial({ exact: match.value });
    case "prefix":
      return StringMatcher.fromPartial({ prefix: match.value });
    case "regex":
      return match.value === "*"
        ? undefined
        : StringMatcher.fromPartial({ safeRegex: { regex: match.value } });
    case "present":
      return undefined;
    default:
      return match satisfies never;
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).sort(([a], [b]) => byText(a, b));
}
