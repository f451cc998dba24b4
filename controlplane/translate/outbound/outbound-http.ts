import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { HttpConnectionManager } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import { ADS } from "../ads.ts";
import { dynamicForwardProxyFilter } from "../clusters/dynamic-dns.ts";
import { calledAlpnFilter } from "../filters/alpn-filters.ts";
import {
  corsFilter,
  faultFilter,
  httpConnectionManager,
  onDemandFilter,
  pathNormalization,
  routerFilter,
} from "../filters/network-filters.ts";

interface OutboundHttpOptions {
  /** Virtual hosts come as they are called (VHDS). */
  readonly onDemand?: boolean;
  /** Some calls go to hosts that are looked up call by call. */
  readonly looksUpHosts?: boolean;
}

/** What the inspector says of plaintext HTTP. */
export const PLAIN_HTTP: readonly string[] = ["http/1.1", "h2c"];

/** Handles an application's HTTP calls; their routes come by RDS where only their name is given. */
export function outboundHttpFilter(
  { mesh }: Pick<MeshSettings, "mesh">,
  listener: string,
  routes: string | RouteConfiguration,
  { onDemand = false, looksUpHosts = false }: OutboundHttpOptions = {},
): Filter {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `outbound_${listener}`,
    ...(typeof routes === "string"
      ? { rds: { configSource: ADS, routeConfigName: routes } }
      : { routeConfig: routes }),
    httpFilters: [
      ...(onDemand ? [onDemandFilter] : []),
      calledAlpnFilter,
      faultFilter,
      corsFilter,
      ...(looksUpHosts ? [dynamicForwardProxyFilter] : []),
      routerFilter,
    ],
    ...pathNormalization(mesh.pathNormalization ?? "BASE"),
  });
  return httpConnectionManager(manager);
}
