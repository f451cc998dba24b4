import { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { ValueMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";

const JWT_FILTER = "envoy.filters.http.jwt_authn";

/** Where in that filter's metadata the claims of a verified token are. */
export const JWT_PAYLOAD = "payload";

/** Name of the rule that refuses tokens whose header says more than is understood. */
export const NOT_UNDERSTOOD = "token-header-not-understood";

/** A part of what is known of a verified token, whose value passes. */
export function tokenField(path: readonly string[], value: ValueMatcher, invert = false): MetadataMatcher {
  return MetadataMatcher.fromPartial({
    filter: JWT_FILTER,
    path: path.map((key) => ({ key })),
    value,
    invert,
  });
}

/** A claim whose value passes. */
export function claimIs(claim: readonly string[], value: ValueMatcher, invert = false): MetadataMatcher {
  return tokenField([JWT_PAYLOAD, ...claim], value, invert);
}

/** A claim that is such a text, or a list with such a text in it; undefined: that is there. */
export function claimHas(
  claim: readonly string[],
  value: StringMatcher | undefined,
  invert = false,
): MetadataMatcher {
  const one = ValueMatcher.fromPartial(value === undefined ? { presentMatch: true } : { stringMatch: value });
  const either = ValueMatcher.fromPartial({
    orMatch: { valueMatchers: [{ listMatch: { oneOf: one } }, one] },
  });
  return claimIs(claim, either, invert);
}
