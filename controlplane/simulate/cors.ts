import { CorsPolicy } from "../../mesh/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts";
import type { HttpFilter } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { firstHeader, type HttpRequest } from "./http-request.ts";
import { matchString } from "./match-string.ts";
import { filterConfig, type Routing } from "./routing.ts";
import type { RespondStep } from "./verdict.ts";

/** The proxy's own answer to a CORS preflight; undefined: the request goes its way. */
export function preflightAnswer(
  filters: readonly HttpFilter[],
  routing: Routing,
  request: HttpRequest,
): RespondStep | undefined {
  const origin = firstHeader(request, "origin");
  const isPreflight =
    request.method === "OPTIONS" && !!origin && !!firstHeader(request, "access-control-request-method");
  if (!isPreflight) return undefined;
  const config = filterConfig(filters, "Cors", routing, "CorsPolicy");
  if (config === undefined || !("perRoute" in config)) return undefined;
  const { allowOriginStringMatch, forwardNotMatchingPreflights } = CorsPolicy.decode(config.perRoute.value);
  const allowed = allowOriginStringMatch.some((one) => matchString(one, origin));
  if (!allowed && forwardNotMatchingPreflights !== false) return undefined;
  return { kind: "respond", status: 200, body: "" };
}
