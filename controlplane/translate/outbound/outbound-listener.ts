import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { HttpConnectionManager } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { BLACK_HOLE_CLUSTER, listenerName, outboundClusterName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { applicableTcpRoute, governingVirtualService } from "../../policy/virtual-services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { address } from "../addresses.ts";
import { ADS } from "../ads.ts";
import { clusterOf, resolveDestination, weighted } from "../destinations.ts";
import {
  faultFilter,
  httpConnectionManager,
  routerFilter,
  tcpProxy,
  type WeightedName,
} from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";

/** Takes the application's HTTP calls to one upstream; the routes come by RDS. */
export function outboundHttpListener(bind: SocketAddress, hostname: string, port: number): Listener {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `outbound_${listenerName(bind.address, bind.port)}`,
    rds: { configSource: ADS, routeConfigName: routeName(hostname, port) },
    httpFilters: [faultFilter, routerFilter],
  });
  return outbound(bind, httpConnectionManager(manager));
}

/** Takes the application's connections to one upstream, split as a VirtualService's TCP routes say. */
export function outboundTcpListener(
  scope: Scope,
  client: Client,
  bind: SocketAddress,
  hostname: string,
  port: number,
): Listener {
  const targets = tcpTargets(scope, client, hostname, port);
  return outbound(bind, tcpProxy(outboundClusterName(port, "", hostname), targets));
}

/** Stands where an upstream that does not exist (yet) would be: it takes connections and closes them. */
export function blackHoleListener(bind: SocketAddress): Listener {
  return outbound(bind, tcpProxy(BLACK_HOLE_CLUSTER, [{ name: BLACK_HOLE_CLUSTER, weight: 1 }]));
}

function tcpTargets(
  { view, warn }: Scope,
  client: Client,
  hostname: string,
  port: number,
): readonly WeightedName[] {
  const governing = governingVirtualService(view, client, hostname);
  const route = governing && applicableTcpRoute(governing, client, port);
  if (governing === undefined || route === undefined) {
    return [{ name: outboundClusterName(port, "", hostname), weight: 1 }];
  }
  const targets = weighted(route.route).map(({ destination, weight }) => {
    const resolved = resolveDestination(view, client, destination, governing.metadata.namespace, port);
    if (resolved.kind === "missing") {
      warn({ subject: keyOf(governing), message: `spec.tcp: ${resolved.reason}; its connections fail` });
    }
    return { name: clusterOf(resolved), weight };
  });
  return targets.length > 0 ? targets : [{ name: BLACK_HOLE_CLUSTER, weight: 1 }];
}

function outbound(bind: SocketAddress, filter: Filter): Listener {
  return Listener.fromPartial({
    name: listenerName(bind.address, bind.port),
    address: address(bind.address, bind.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [{ filters: [filter] }],
  });
}
