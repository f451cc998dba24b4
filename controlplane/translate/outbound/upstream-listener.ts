import type { Service } from "../../../mesh/model/service.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { BLACK_HOLE_CLUSTER, listenerName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import { address } from "../addresses.ts";
import { tcpProxy, tlsInspector } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { layer4Chains } from "./layer4-chains.ts";
import { outboundHttpFilter } from "./outbound-http.ts";

/** Takes the application's HTTP calls to one upstream; the routes come by RDS. */
export function upstreamHttpListener(
  settings: MeshSettings,
  bind: SocketAddress,
  service: Pick<Service, "hostname" | "resolution">,
  port: number,
): Listener {
  const name = listenerName(bind.address, bind.port);
  const filters = [
    outboundHttpFilter(settings, name, routeName(service.hostname, port), {
      looksUpHosts: service.resolution === "dynamic-dns",
    }),
  ];
  return listener(bind, [FilterChain.fromPartial({ filters })]);
}

/**
 * Takes the application's connections to one upstream, split as a VirtualService's TCP or TLS routes say. The listener is
 * bound to the caller's own address: a route for other destinations can never be met there.
 */
export function upstreamTcpListener(
  scope: Scope,
  client: Client,
  bind: SocketAddress,
  place: { readonly hostname: string; readonly port: number; readonly tls: boolean },
): Listener {
  const chains = layer4Chains(scope, client, { ...place, destinations: [] });
  return listener(
    bind,
    chains.filter(({ filterChainMatch: match }) => match?.prefixRanges.length === 0),
  );
}

/** Stands where an upstream that does not exist (yet) would be: it takes connections and closes them. */
export function blackHoleListener(bind: SocketAddress): Listener {
  const filters = [tcpProxy(BLACK_HOLE_CLUSTER, [{ name: BLACK_HOLE_CLUSTER, weight: 1 }])];
  return listener(bind, [FilterChain.fromPartial({ filters })]);
}

function listener(bind: SocketAddress, filterChains: readonly FilterChain[]): Listener {
  const looksForTls = filterChains.some(({ filterChainMatch: match }) => match?.transportProtocol === "tls");
  return Listener.fromPartial({
    name: listenerName(bind.address, bind.port),
    address: address(bind.address, bind.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(looksForTls && { listenerFilters: [tlsInspector] }),
    filterChains: filterChains.map((chain) => withoutEmptyMatch(chain)),
  });
}

/** A chain that asks for nothing says nothing. */
function withoutEmptyMatch(chain: FilterChain): FilterChain {
  const { filterChainMatch: match } = chain;
  const asks =
    match !== undefined &&
    (match.serverNames.length > 0 || match.transportProtocol !== "" || match.sourcePrefixRanges.length > 0);
  return asks ? chain : { ...chain, filterChainMatch: undefined };
}
