import type { CapturedAt } from "../../../mesh/model/workload.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { BLACK_HOLE_CLUSTER, DYNAMIC_DNS_CLUSTER, VIRTUAL_OUTBOUND } from "../../../mesh/xds/names.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import { capturedAddress } from "../addresses.ts";
import { duration } from "../durations.ts";
import { anyOfPorts, SERVER_FIRST_AFTER_MS } from "../filters/captured-ports.ts";
import { httpInspector, originalDestination, tcpProxy } from "../filters/network-filters.ts";
import { LONGEST_DIRECT_RESPONSE } from "../routes/route-configuration.ts";
import { outboundHttpFilter, PLAIN_HTTP } from "./outbound-http.ts";
import { type UnknownHosts, unknownHost } from "./route-configuration.ts";

type Settings = Pick<MeshSettings, "mesh">;

/**
 * Takes every captured connection and hands it to the listener of its original destination. What no listener is for goes
 * on to where it was going, or to the host that it names, or nowhere. `tcpPorts`: where other listeners take what is not
 * HTTP, asked for only when it matters.
 */
export function virtualOutbound(
  settings: Settings,
  { outbound: port, ipv6 }: CapturedAt,
  unknown: UnknownHosts,
  tcpPorts: () => readonly number[],
): Listener {
  const { name } = VIRTUAL_OUTBOUND;
  const to = (target: string): ReturnType<typeof tcpProxy> => tcpProxy(target, [{ name: target, weight: 1 }]);
  const byName = unknown.calls === DYNAMIC_DNS_CLUSTER;
  return Listener.fromPartial({
    name,
    address: capturedAddress(port, ipv6),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    ...(byName && inspection(settings, tcpPorts())),
    filterChains: [
      {
        // A connection to the listener itself would be captured again, and again.
        name: `${name}-blackhole`,
        filterChainMatch: { destinationPort: port },
        filters: [to(BLACK_HOLE_CLUSTER)],
      },
      ...(byName ? [lookedUpCalls(settings, unknown)] : []),
      { name: `${name}-catchall-tcp`, filters: [to(unknown.connections ?? BLACK_HOLE_CLUSTER)] },
    ],
  });
}

/**
 * Looks for HTTP before a connection is handed on, so not at ports whose servers may speak first. Elsewhere who says
 * nothing is not HTTP after a while, and the connection goes on, unlike in Istio.
 */
function inspection({ mesh }: Settings, tcpPorts: readonly number[]): Partial<Listener> {
  const disabled = anyOfPorts(tcpPorts);
  return {
    listenerFilters: [
      originalDestination,
      { ...httpInspector, ...(disabled !== undefined && { filterDisabled: disabled }) },
    ],
    listenerFiltersTimeout: duration(mesh.protocolDetectionTimeoutMs || SERVER_FIRST_AFTER_MS),
    continueOnListenerFiltersTimeout: true,
  };
}

/** HTTP at a port that no service has: each call goes to the host that it names. */
function lookedUpCalls(settings: Settings, unknown: UnknownHosts): FilterChain {
  const { name } = VIRTUAL_OUTBOUND;
  const routes = RouteConfiguration.fromPartial({
    name: "allow_any_dynamic_dns",
    virtualHosts: [unknownHost(unknown)],
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
  });
  return FilterChain.fromPartial({
    name: `${name}-catchall-tcp-http`,
    // Not the transport: Envoy would look for it first, and never come back to the chain that names none.
    filterChainMatch: { applicationProtocols: [...PLAIN_HTTP] },
    filters: [outboundHttpFilter(settings, name, routes, { looksUpHosts: true })],
  });
}
