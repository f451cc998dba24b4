import type { Protocol } from "../../../mesh/model/service.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  RetryPolicy,
  Route,
  type VirtualHost,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
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

/**
 * What the application was not sent is safe to send again, as in Istio; all other retries are the caller's business. gRPC
 * has its own.
 */
const INBOUND_RETRIES = RetryPolicy.fromPartial({ retryOn: "reset-before-request", numRetries: 2 });

/** Everything that comes in at a port goes to the application. */
export function inboundRouteConfiguration(servicePort: number, protocol: Protocol): RouteConfiguration {
  const cluster = inboundClusterName(servicePort);
  const retryPolicy = protocol === "grpc" ? undefined : INBOUND_RETRIES;
  return toApplication(cluster, `inbound|http|${servicePort}`, retryPolicy);
}

/** The same for calls to ports that the workload has not declared. */
export function passthroughRouteConfiguration(): RouteConfiguration {
  return toApplication(INBOUND_PASSTHROUGH_CLUSTER, "inbound|http|0", INBOUND_RETRIES);
}

function toApplication(
  cluster: string,
  name: string,
  retryPolicy: RetryPolicy | undefined,
): RouteConfiguration {
  const action = { ...plainForward(cluster), retryPolicy };
  const route = Route.fromPartial({ name: "default", match: { prefix: "/" }, route: action });
  return singleHost(cluster, { name, routes: [route] });
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
