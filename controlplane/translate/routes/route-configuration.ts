import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { Route } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { inboundClusterName, outboundClusterName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import {
  type ApplicableRoute,
  applicableHttpRoutes,
  governingVirtualService,
} from "../../policy/virtual-services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { clusterOf, resolveDestination } from "../destinations.ts";
import type { Scope } from "../memo.ts";
import { faultConfig } from "./fault.ts";
import { headerFields } from "./headers.ts";
import { retryPolicy } from "./retry.ts";
import { plainForward, routeAction } from "./route-action.ts";
import { routeMatch } from "./route-match.ts";

/**
 * The routes of one service port for one client. A VirtualService that has HTTP routes says them all: what none of them
 * matches is answered 404 by the proxy. Without one everything goes to the service.
 */
export function outboundRouteConfiguration(
  { view, warn }: Scope,
  client: Client,
  hostname: string,
  port: number,
): RouteConfiguration {
  const name = routeName(hostname, port);
  const governing = governingVirtualService(view, client, hostname);
  if (governing === undefined || governing.spec.http.length === 0) {
    return singleHost(name, name, [defaultRoute(outboundClusterName(port, "", hostname), true)]);
  }
  const routes = applicableHttpRoutes(governing, client, port).map((one) =>
    translateRoute(one, (destination, index) => {
      const resolved = resolveDestination(view, client, destination, governing.metadata.namespace, port);
      if (resolved.kind === "missing") {
        const path = `spec.http[${one.index}].route[${index}].destination`;
        warn({ subject: keyOf(governing), message: `${path}: ${resolved.reason}; its requests fail` });
      }
      return clusterOf(resolved);
    }),
  );
  return singleHost(name, name, routes);
}

/** Everything that comes in at a port goes to the application. Retries are the caller's business. */
export function inboundRouteConfiguration(servicePort: number): RouteConfiguration {
  const cluster = inboundClusterName(servicePort);
  return singleHost(cluster, `inbound|http|${servicePort}`, [defaultRoute(cluster, false)]);
}

function translateRoute(
  { route, match }: ApplicableRoute,
  clusterName: (destination: (typeof route.route)[number]["destination"], index: number) => string,
): Route {
  const places = new Map(route.route.map(({ destination }, index) => [destination, index]));
  return Route.fromPartial({
    name: match?.name ? `${route.name}.${match.name}` : route.name,
    match: routeMatch(match),
    ...routeAction(route, (destination) => clusterName(destination, places.get(destination) ?? 0)),
    ...headerFields(route.headers),
    typedPerFilterConfig: faultConfig(route.fault),
  });
}

function defaultRoute(cluster: string, retries: boolean): Route {
  const action = plainForward(cluster);
  if (retries) action.retryPolicy = retryPolicy(undefined);
  return Route.fromPartial({ name: "default", match: { prefix: "/" }, route: action });
}

/** A listener of its own needs no host to be told apart: one virtual host takes all. */
function singleHost(name: string, host: string, routes: readonly Route[]): RouteConfiguration {
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: [{ name: host, domains: ["*"], routes: [...routes] }],
    validateClusters: false,
  });
}
