import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { HttpConnectionManager } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import { ADS } from "../ads.ts";
import {
  corsFilter,
  faultFilter,
  httpConnectionManager,
  onDemandFilter,
  pathNormalization,
  routerFilter,
} from "../filters/network-filters.ts";

/** Handles an application's HTTP calls; their routes come by RDS, and `onDemand` their hosts as they are called. */
export function outboundHttpFilter(
  { mesh }: Pick<MeshSettings, "mesh">,
  listener: string,
  routeName: string,
  onDemand = false,
): Filter {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `outbound_${listener}`,
    rds: { configSource: ADS, routeConfigName: routeName },
    httpFilters: [...(onDemand ? [onDemandFilter] : []), faultFilter, corsFilter, routerFilter],
    ...pathNormalization(mesh.pathNormalization ?? "BASE"),
  });
  return httpConnectionManager(manager);
}
