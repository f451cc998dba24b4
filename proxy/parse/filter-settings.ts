import { FilterConfig } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { CorsPolicy as CorsMessage } from "../../mesh/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import { ALPN_FILTERS } from "../../mesh/xds/names.ts";
import type { CorsPolicy, FilterSettings } from "../model/route.ts";
import { FAULT_TYPE, parseFault } from "./fault.ts";
import { parseStringMatch } from "./match.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode, fraction } from "./values.ts";

const CORS_POLICY_TYPE = "envoy.extensions.filters.http.cors.v3.CorsPolicy";
const FILTER_CONFIG_TYPE = "envoy.config.route.v3.FilterConfig";
const ALPN_NAMES: ReadonlySet<string> = new Set(Object.values(ALPN_FILTERS));

/** What a route or a virtual host says to filters (`typed_per_filter_config`). */
export function parseFilterSettings(where: string, configs: Readonly<Record<string, Any>>): FilterSettings {
  let settings: FilterSettings = { fault: undefined, cors: undefined, saysHttp: false };
  for (const [name, config] of Object.entries(configs)) {
    switch (anyType(config)) {
      case FAULT_TYPE:
        settings = { ...settings, fault: parseFault(where, config.value) };
        break;
      case CORS_POLICY_TYPE:
        settings = { ...settings, cors: parseCors(where, config.value) };
        break;
      case FILTER_CONFIG_TYPE:
        if (!enables(where, name, config)) throw unsupported(where, `filter "${name}" enabled by a route`);
        settings = { ...settings, saysHttp: true };
        break;
      default:
        throw unsupported(where, `per-route configuration of filter "${name}"`);
    }
  }
  return settings;
}

/** The same of a cluster among weighted ones, which has nothing else to say. */
export function parseClusterSettings(
  where: string,
  configs: Readonly<Record<string, Any>>,
): Pick<FilterSettings, "saysHttp"> {
  const { fault, cors, saysHttp } = parseFilterSettings(where, configs);
  if (fault !== undefined || cors !== undefined) throw unsupported(where, "a fault or CORS of its own");
  return { saysHttp };
}

/**
 * Whether it enables a filter that says what is HTTP. What that filter says is known here, so that the listener's word for
 * it, which is disabled, is not read.
 */
function enables(where: string, name: string, { value }: Any): boolean {
  const from = decode(where, FilterConfig, value);
  onlyFields(where, from, ["config", "isOptional"]);
  return ALPN_NAMES.has(name) && (from.config?.typeUrl ?? "") === "";
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
