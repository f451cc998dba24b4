import { RE2JS } from "re2js";
import { messageOf } from "../../mesh/errors.ts";
import type {
  HeaderMatcher,
  QueryParameterMatcher,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { RegexMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/regex.ts";
import type { StringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { HeaderMatch, HeaderTest, QueryMatch, StringMatch } from "../model/match.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";

const LONGEST_REGEX = 4096;

export function parseStringMatch(where: string, matcher: StringMatcher | undefined): StringMatch {
  const from = required(where, "string_match", matcher);
  onlyFields(where, from, ["exact", "prefix", "suffix", "contains", "safeRegex", "ignoreCase"]);
  if (from.safeRegex !== undefined) {
    if (from.ignoreCase) throw unsupported(where, "ignore_case with a regex");
    return { kind: "regex", value: parseRegex(where, from.safeRegex) };
  }
  for (const kind of ["exact", "prefix", "suffix", "contains"] as const) {
    const value = from[kind];
    if (value !== undefined) return { kind, value, ignoreCase: from.ignoreCase };
  }
  throw invalid(where, "a string matcher without a pattern");
}

/** Compiles once so that a broken pattern is refused here, and not when the first request comes. */
export function parseRegex(where: string, matcher: RegexMatcher | undefined): string {
  const { regex } = required(where, "regex", matcher);
  if (regex.length > LONGEST_REGEX)
    throw invalid(where, `a regex of ${regex.length} characters (limit ${LONGEST_REGEX})`);
  try {
    RE2JS.compile(regex);
  } catch (error) {
    throw invalid(where, `regex "${regex}" does not compile: ${messageOf(error)}`);
  }
  return regex;
}

export function parseHeaderMatch(where: string, from: HeaderMatcher): HeaderMatch {
  const at = `${where}: header matcher "${from.name}"`;
  if (from.name === "") throw invalid(at, "the header's name is empty");
  return {
    name: from.name.toLowerCase(),
    test: parseHeaderTest(at, from),
    invert: from.invertMatch,
    missingIsEmpty: from.treatMissingHeaderAsEmpty,
  };
}

function parseHeaderTest(where: string, from: HeaderMatcher): HeaderTest {
  if (from.stringMatch) return { kind: "string", match: parseStringMatch(where, from.stringMatch) };
  if (from.safeRegexMatch) return string({ kind: "regex", value: parseRegex(where, from.safeRegexMatch) });
  if (from.rangeMatch) return { kind: "range", start: from.rangeMatch.start, end: from.rangeMatch.end };
  if (from.exactMatch !== undefined)
    return string({ kind: "exact", value: from.exactMatch, ignoreCase: false });
  if (from.prefixMatch !== undefined)
    return string({ kind: "prefix", value: from.prefixMatch, ignoreCase: false });
  if (from.suffixMatch !== undefined)
    return string({ kind: "suffix", value: from.suffixMatch, ignoreCase: false });
  if (from.containsMatch !== undefined)
    return string({ kind: "contains", value: from.containsMatch, ignoreCase: false });
  return { kind: "present", present: from.presentMatch ?? true };
}

function string(match: StringMatch): HeaderTest {
  return { kind: "string", match };
}

export function parseQueryMatch(where: string, from: QueryParameterMatcher): QueryMatch {
  const at = `${where}: query parameter matcher "${from.name}"`;
  return { name: from.name, match: from.stringMatch ? parseStringMatch(at, from.stringMatch) : undefined };
}
