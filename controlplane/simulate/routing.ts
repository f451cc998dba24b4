import type { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import type {
  Route,
  RouteMatch,
  VirtualHost,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { HttpFilter } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import type { HttpRequest } from "./http-request.ts";
import { matchRoute } from "./match-route.ts";
import { holds } from "./xds-config.ts";

/** A route that was chosen, with what is around it. */
export interface Routing {
  readonly configuration: RouteConfiguration;
  readonly virtualHost: VirtualHost;
  readonly route: Route;
  readonly index: number;
  readonly match: RouteMatch;
}

/** A route that takes such requests, or the part `share` of all of them. */
export interface TakenRoute {
  readonly route: Route;
  readonly match: RouteMatch;
  readonly index: number;
  readonly share: number;
}

/**
 * The routes that take a request, in order, until all calls are taken. More than one only where a runtime fraction lets
 * some pass; a `pick` in [0,1) then decides as Envoy's random value would.
 */
export function takeRoutes(
  routes: readonly Route[],
  request: HttpRequest,
  pick: number | undefined,
): readonly TakenRoute[] {
  const taken: TakenRoute[] = [];
  let left = 1;
  for (const [index, route] of routes.entries()) {
    if (route.match === undefined) continue;
    const fraction = matchRoute(route.match, request);
    if (fraction === 0 || (pick !== undefined && pick >= fraction)) continue;
    const share = pick === undefined ? left * fraction : 1;
    taken.push({ route, match: route.match, index, share });
    left -= share;
    if (left <= 0) break;
  }
  return taken;
}

/**
 * What a route says to an HTTP filter (`typed_per_filter_config`): its own word, else its virtual host's, else the route
 * configuration's, else the filter's own. Undefined where the connection manager has no such filter.
 */
export function filterConfig(
  filters: readonly HttpFilter[],
  message: string,
  { route, virtualHost, configuration }: Routing,
  perRoute: string = message,
): { readonly perRoute: Any } | { readonly own: Any } | undefined {
  const filter = filters.find(({ typedConfig }) => holds(typedConfig, message));
  if (filter?.typedConfig === undefined) return undefined;
  for (const { typedPerFilterConfig } of [route, virtualHost, configuration]) {
    const found = typedPerFilterConfig[filter.name];
    if (holds(found, perRoute)) return { perRoute: found };
  }
  return { own: filter.typedConfig };
}
