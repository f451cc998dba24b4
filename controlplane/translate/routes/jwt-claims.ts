import { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { ValueMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";

const PREFIX = "@request.auth.claims";
const JWT_FILTER = "envoy.filters.http.jwt_authn";
const PAYLOAD = "payload";

/**
 * The claim of a verified token that a header match of this name asks about: `@request.auth.claims.group.id` and
 * `@request.auth.claims[group][id]` are `["group", "id"]`. Undefined: it asks about a header.
 */
export function claimPath(header: string): readonly string[] | undefined {
  if (!header.toLowerCase().startsWith(PREFIX)) return undefined;
  const rest = header.slice(PREFIX.length);
  if (rest.startsWith(".") && rest.length > 1) return rest.slice(1).split(".");
  if (rest.startsWith("[") && rest.endsWith("]") && rest.length > 2) return rest.slice(1, -1).split("][");
  return undefined;
}

/** Asks what the JWT filter left behind about a token: the claim is such a text, or a list with such a text in it. */
export function claimMatcher(
  path: readonly string[],
  value: StringMatcher | undefined,
  invert: boolean,
): MetadataMatcher {
  const one = ValueMatcher.fromPartial(value === undefined ? { presentMatch: true } : { stringMatch: value });
  return MetadataMatcher.fromPartial({
    filter: JWT_FILTER,
    path: [PAYLOAD, ...path].map((key) => ({ key })),
    value: { orMatch: { valueMatchers: [{ listMatch: { oneOf: one } }, one] } },
    invert,
  });
}
