import type { MetadataMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { ValueMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";

/**
 * Whether a condition on dynamic metadata holds. No filter of this proxy leaves any behind, as in an Envoy without a
 * filter that does, so the answer is the same for every request: that for a value which is not there.
 */
export function metadataMatches({ value, invert }: MetadataMatcher): boolean {
  return matchesNothing(value) !== invert;
}

function matchesNothing(from: ValueMatcher | undefined): boolean {
  if (from?.orMatch) return from.orMatch.valueMatchers.some(matchesNothing);
  return from?.presentMatch === false;
}
