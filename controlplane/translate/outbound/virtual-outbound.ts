import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { BLACK_HOLE_CLUSTER, VIRTUAL_OUTBOUND } from "../../../mesh/xds/names.ts";
import { address } from "../addresses.ts";
import { tcpProxy } from "../filters/network-filters.ts";

/**
 * Takes every captured connection and hands it to the listener of its original destination. What no listener is for goes
 * to `cluster`: on to where it was going, or nowhere.
 */
export function virtualOutbound(cluster: string): Listener {
  const { name, port } = VIRTUAL_OUTBOUND;
  const to = (target: string, statPrefix = target): ReturnType<typeof tcpProxy> =>
    tcpProxy(statPrefix, [{ name: target, weight: 1 }]);
  return Listener.fromPartial({
    name,
    address: address("0.0.0.0", port),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    filterChains: [
      {
        // A connection to the listener itself would be captured again, and again.
        name: `${name}-blackhole`,
        filterChainMatch: { destinationPort: port },
        filters: [to(BLACK_HOLE_CLUSTER)],
      },
      { name: `${name}-catchall-tcp`, filters: [to(cluster)] },
    ],
  });
}
