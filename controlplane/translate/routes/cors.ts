import type { StringMatch } from "../../../mesh/model/match.ts";
import type { CorsPolicy as CorsRule } from "../../../mesh/model/virtual-service.ts";
import { CorsPolicy } from "../../../mesh/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts";
import { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { Any } from "../../../mesh/xds/gen/google/protobuf/any.ts";
import { pack } from "../any.ts";
import { corsFilter } from "../filters/network-filters.ts";
import { fraction } from "./fractions.ts";

/** What a route hands to the CORS filter. */
export function corsConfig(rule: CorsRule | undefined): { [filter: string]: Any } {
  if (rule === undefined) return {};
  const policy = CorsPolicy.fromPartial({
    allowOriginStringMatch: rule.allowOrigins.map(originMatcher),
    allowMethods: rule.allowMethods.join(","),
    allowHeaders: rule.allowHeaders.join(","),
    exposeHeaders: rule.exposeHeaders.join(","),
    // A number of seconds, as the header has it.
    maxAge: rule.maxAgeMs === undefined ? "" : String(Math.floor(rule.maxAgeMs / 1000)),
    filterEnabled: { defaultValue: fraction(100) },
    forwardNotMatchingPreflights: rule.unmatchedPreflights !== "IGNORE",
    ...(rule.allowCredentials === undefined ? {} : { allowCredentials: rule.allowCredentials }),
  });
  return { [corsFilter.name]: pack("envoy.extensions.filters.http.cors.v3.CorsPolicy", CorsPolicy, policy) };
}

function originMatcher(match: StringMatch): StringMatcher {
  switch (match.kind) {
    case "exact":
      return StringMatcher.fromPartial({ exact: match.value });
    case "prefix":
      return StringMatcher.fromPartial({ prefix: match.value });
    case "regex":
      return StringMatcher.fromPartial({ safeRegex: { regex: match.value } });
    case "present":
      return StringMatcher.fromPartial({ safeRegex: { regex: ".*" } });
    default:
      return match satisfies never;
  }
}
