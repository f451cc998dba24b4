import type {
  HeaderMatcher,
  QueryParameterMatcher,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { StringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { HttpRequest } from "./http-request.ts";
import { matchString, stringMatcherText } from "./match-string.ts";

/**
 * A header that was not sent matches no value, inverted or not, unless it counts as empty; only a test for presence
 * looks at its absence. Of a header that was sent several times each value counts by itself, as in
 * Envoy 1.40 (older ones joined them).
 */
export function matchHeader(matcher: HeaderMatcher, request: HttpRequest): boolean {
  const sent = request.headerValues(matcher.name);
  const values = sent.length === 0 && matcher.treatMissingHeaderAsEmpty ? [""] : sent;
  const present = presenceOf(matcher);
  if (present !== undefined) return (values.length > 0 === present) !== matcher.invertMatch;
  return values.length > 0 && values.some((value) => matchValue(matcher, value)) !== matcher.invertMatch;
}

function matchValue(matcher: HeaderMatcher, value: string): boolean {
  if (matcher.rangeMatch !== undefined) {
    const { start, end } = matcher.rangeMatch;
    const number = Number(value.trim());
    return /^[+-]?\d{1,15}$/.test(value.trim()) && number >= start && number < end;
  }
  const string = stringMatcherOf(matcher);
  return string !== undefined && matchString(string, value);
}

/** True or false: presence or absence is asked for; undefined: a value is. A matcher that says nothing asks for presence. */
function presenceOf(matcher: HeaderMatcher): boolean | undefined {
  if (matcher.presentMatch !== undefined) return matcher.presentMatch;
  return matcher.rangeMatch === undefined && stringMatcherOf(matcher) === undefined ? true : undefined;
}

/** The current form, or the older ones that each had a field of their own. */
function stringMatcherOf(matcher: HeaderMatcher): StringMatcher | undefined {
  const { stringMatch, exactMatch, prefixMatch, suffixMatch, containsMatch, safeRegexMatch } = matcher;
  if (stringMatch !== undefined) return stringMatch;
  const old = {
    ...(exactMatch === undefined ? {} : { exact: exactMatch }),
    ...(prefixMatch === undefined ? {} : { prefix: prefixMatch }),
    ...(suffixMatch === undefined ? {} : { suffix: suffixMatch }),
    ...(containsMatch === undefined ? {} : { contains: containsMatch }),
    ...(safeRegexMatch === undefined ? {} : { safeRegex: safeRegexMatch }),
  };
  return Object.keys(old).length === 0 ? undefined : { ...old, ignoreCase: false };
}

/** The first value of a parameter counts, as it was sent: nothing is decoded. */
export function matchQueryParameter(matcher: QueryParameterMatcher, query: string): boolean {
  const value = queryParameter(query, matcher.name);
  if (matcher.stringMatch !== undefined)
    return value !== undefined && matchString(matcher.stringMatch, value);
  return (value !== undefined) === (matcher.presentMatch ?? true);
}

function queryParameter(query: string, name: string): string | undefined {
  for (const part of query.slice(1).split("&")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    if (key === name) return equals < 0 ? "" : part.slice(equals + 1);
  }
  return undefined;
}

/** In words: `x-user = jason`, `not x-user`. */
export function headerMatcherText(matcher: HeaderMatcher): string {
  const { name, rangeMatch } = matcher;
  const present = presenceOf(matcher);
  if (present !== undefined) return present !== matcher.invertMatch ? `${name} present` : `no ${name}`;
  const not = matcher.invertMatch ? "not " : "";
  if (rangeMatch !== undefined) return `${not}${name} in [${rangeMatch.start}, ${rangeMatch.end})`;
  const string = stringMatcherOf(matcher);
  return `${not}${name} ${string === undefined ? "" : stringMatcherText(string)}`;
}

export function queryMatcherText({ name, stringMatch, presentMatch }: QueryParameterMatcher): string {
  if (stringMatch !== undefined) return `?${name} ${stringMatcherText(stringMatch)}`;
  return presentMatch === false ? `no ?${name}` : `?${name} present`;
}
