import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { Route, type VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { INBOUND_PASSTHROUGH_CLUSTER, inboundClusterName } from "../../../mesh/xds/names.ts";
import type { RoutedHost } from "./governed-host.ts";
import { plainForward } from "./route-action.ts";

/** As long as a VirtualService may make one; Envoy's own limit is 4 KiB, and it refuses routes beyond it. */
export const LONGEST_DIRECT_RESPONSE = 1024 * 1024;

/** The routes of one host and port, for a listener of its own: whatever host its callers name. */
export function outboundRouteConfiguration(
  name: string,
  routed: Pick<RoutedHost, "virtualHost"> | undefined,
): RouteConfiguration {
  return {
    ...singleHost(name, routed?.virtualHost ?? { name, routes: [] }),
    maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
  };
}

/** Everything that comes in at a port goes to the application. Retries are the caller's business. */
export function inboundRouteConfiguration(servicePort: number): RouteConfiguration {
  const cluster = inboundClusterName(servicePort);
  const route = Route.fromPartial({ name: "default", match: { prefix: "/" }, route: plainForward(cluster) });
  return singleHost(cluster, { name: `inbound|http|${servicePort}`, routes: [route] });
}

/** The same for calls to ports that the workload has not declared. */
export function passthroughRouteConfiguration(): RouteConfiguration {
  const cluster = INBOUND_PASSTHROUGH_CLUSTER;
  const route = Route.fromPartial({ name: "default", match: { prefix: "/" }, route: plainForward(cluster) });
  return singleHost(cluster, { name: "inbound|http|0", routes: [route] });
}

/** A listener of its own needs no host to be told apart: one virtual host takes all. */
function singleHost(
  name: string,
  host: Pick<VirtualHost, "name" | "routes"> & Partial<VirtualHost>,
): RouteConfiguration {
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: [{ ...host, domains: ["*"] }],
    validateClusters: false,
  });
}
