import { CorsPolicy as CorsMessage } from "../../mesh/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import type { CorsPolicy, FilterSettings } from "../model/route.ts";
import { FAULT_TYPE, parseFault } from "./fault.ts";
import { parseStringMatch } from "./match.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode, fraction } from "./values.ts";

const CORS_POLICY_TYPE = "envoy.extensions.filters.http.cors.v3.CorsPolicy";

/** What a route or a virtual host says to filters (`typed_per_filter_config`). */
export function parseFilterSettings(where: string, configs: Readonly<Record<string, Any>>): FilterSettings {
  let settings: FilterSettings = { fault: undefined, cors: undefined };
  for (const [name, config] of Object.entries(configs)) {
    switch (anyType(config)) {
      case FAULT_TYPE:
        settings = { ...settings, fault: parseFault(where, config.value) };
        break;
      case CORS_POLICY_TYPE:
        settings = { ...settings, cors: parseCors(where, config.value) };
        break;
      default:
        throw unsupported(where, `per-route configuration of filter "${name}"`);
    }
  }
  return settings;
}

/** `shadow_enabled` only counts, so there is nothing to do for it. */
function parseCors(parent: string, bytes: Uint8Array): CorsPolicy {
  const where = `${parent}: cors`;
  const from = decode(where, CorsMessage, bytes);
  onlyFields(where, from, [
    "allowOriginStringMatch",
    "allowMethods",
    "allowHeaders",
    "exposeHeaders",
    "maxAge",
    "allowCredentials",
    "filterEnabled",
    "shadowEnabled",
    "forwardNotMatchingPreflights",
  ]);
  return {
    origins: from.allowOriginStringMatch.map((origin) => parseStringMatch(where, origin)),
    allowMethods: from.allowMethods,
    allowHeaders: from.allowHeaders,
    exposeHeaders: from.exposeHeaders,
    maxAge: from.maxAge,
    credentials: from.allowCredentials ?? false,
    forwardUnmatchedPreflights: from.forwardNotMatchingPreflights ?? true,
    fraction: fraction(from.filterEnabled?.defaultValue, 1),
  };
}
