import { RE2JS } from "re2js";
import type { RegexMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/regex.ts";
import type { StringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";

/** `ignoreCase` holds for all but regular expressions, which have `(?i)`. A matcher that says nothing matches nothing. */
export function matchString(matcher: StringMatcher, value: string): boolean {
  const { exact, prefix, suffix, contains, safeRegex, ignoreCase } = matcher;
  if (safeRegex !== undefined) return matchRegex(safeRegex, value);
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  const given = fold(value);
  if (exact !== undefined) return given === fold(exact);
  if (prefix !== undefined) return given.startsWith(fold(prefix));
  if (suffix !== undefined) return given.endsWith(fold(suffix));
  if (contains !== undefined) return given.includes(fold(contains));
  return false;
}

/** The whole value must match (RE2::FullMatch). */
export function matchRegex({ regex }: RegexMatcher, value: string): boolean {
  return compileRegex(regex).testExact(value);
}

const compiled = new Map<string, RE2JS>();
const MOST_COMPILED = 10_000;

export function compileRegex(regex: string): RE2JS {
  const known = compiled.get(regex);
  if (known !== undefined) return known;
  if (compiled.size >= MOST_COMPILED) compiled.clear();
  const pattern = RE2JS.compile(regex);
  compiled.set(regex, pattern);
  return pattern;
}

/** In words: `"v1"`, `prefix "v"`, `~ v.+`. */
export function stringMatcherText({
  exact,
  prefix,
  suffix,
  contains,
  safeRegex,
  ignoreCase,
}: StringMatcher): string {
  const fold = ignoreCase ? " in any case" : "";
  if (safeRegex !== undefined) return `~ ${safeRegex.regex}`;
  if (exact !== undefined) return `= ${exact}${fold}`;
  if (prefix !== undefined) return `= ${prefix}*${fold}`;
  if (suffix !== undefined) return `= *${suffix}${fold}`;
  if (contains !== undefined) return `= *${contains}*${fold}`;
  return "= (nothing that is simulated)";
}
