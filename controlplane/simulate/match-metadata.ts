import type { MetadataMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { ValueMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";
import { matchString } from "./match-string.ts";

/** What filters have left behind about a request, by their names. */
export type Metadata = Readonly<Record<string, unknown>>;

export function matchMetadata({ filter, path, value, invert }: MetadataMatcher, metadata: Metadata): boolean {
  let found: unknown = metadata[filter];
  for (const { key = "" } of path) {
    found = fieldOf(found, key);
  }
  return (value !== undefined && matchValue(value, found)) !== invert;
}

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function matchValue(matcher: ValueMatcher, value: unknown): boolean {
  const { nullMatch, stringMatch, boolMatch, presentMatch, listMatch, orMatch } = matcher;
  if (orMatch !== undefined) return orMatch.valueMatchers.some((one) => matchValue(one, value));
  if (presentMatch !== undefined) return (value !== undefined) === presentMatch;
  if (stringMatch !== undefined) return typeof value === "string" && matchString(stringMatch, value);
  if (boolMatch !== undefined) return value === boolMatch;
  if (nullMatch !== undefined) return value === null;
  const oneOf = listMatch?.oneOf;
  return oneOf !== undefined && Array.isArray(value) && value.some((one) => matchValue(oneOf, one));
}
