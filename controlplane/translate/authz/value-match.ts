import { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";

/** A value of an AuthorizationPolicy: exact, `prefix*`, `*suffix`, or `*` for "there is one". */
export type ValueMatch =
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly value: string }
  | { readonly kind: "present" };

export function valueMatch(value: string): ValueMatch {
  if (value === "*") return { kind: "present" };
  if (value.startsWith("*")) return { kind: "suffix", value: value.slice(1) };
  if (value.endsWith("*")) return { kind: "prefix", value: value.slice(0, -1) };
  return { kind: "exact", value };
}

export function stringMatcher(match: ValueMatch, ignoreCase = false): StringMatcher {
  switch (match.kind) {
    case "exact":
      return StringMatcher.fromPartial({ exact: match.value, ignoreCase });
    case "prefix":
      return StringMatcher.fromPartial({ prefix: match.value, ignoreCase });
    case "suffix":
      return StringMatcher.fromPartial({ suffix: match.value, ignoreCase });
    case "present":
      return regexMatcher(".+");
    default:
      return match satisfies never;
  }
}

/** RE2, on the whole value. */
export function regexMatcher(regex: string): StringMatcher {
  return StringMatcher.fromPartial({ safeRegex: { regex } });
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
