import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  FilterChain,
  type FilterChainMatch,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { BLACK_HOLE_CLUSTER, DYNAMIC_DNS_CLUSTER } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { address, capturedAddress, cidrRange } from "../addresses.ts";
import { duration } from "../durations.ts";
import { httpInspector, tcpProxy, tlsInspector } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import type { EgressClass } from "./egress-class.ts";
import type { PlannedListener } from "./egress-plan.ts";
import { chainKey, layer4Chains } from "./layer4-chains.ts";
import { outboundHttpFilter, PLAIN_HTTP } from "./outbound-http.ts";
import type { UnknownHosts } from "./route-configuration.ts";

const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

const HTTP_MATCH: Partial<FilterChainMatch> = {
  transportProtocol: "raw_buffer",
  applicationProtocols: [...PLAIN_HTTP],
};

/** What a listener is built from beside its services: few changes of a mesh change it. */
export interface ListenerOf {
  readonly planned: PlannedListener;
  /** The class as clients, by the `through` of claims. */
  readonly clients: readonly Client[];
  readonly unknown: UnknownHosts;
  readonly onDemand: boolean;
  /** Captured connections may be of IPv6: a listener for any address is for both families. */
  readonly ipv6: boolean;
}

/**
 * A listener of the calling side for all services that come in at its address. HTTP and other protocols on one address
 * are told apart by their first bytes.
 */
export function plannedListener(
  scope: Scope,
  { client: ofClass }: Pick<EgressClass, "client">,
  { planned, clients, unknown, onDemand, ipv6 }: ListenerOf,
): Listener {
  const { name, bind, binds, routeName, looksUpHosts, tcp } = planned;
  const shared = WILDCARDS.includes(bind.address) || tcp.length > 1;
  const detected = tcp.filter(({ httpRoutes }) => httpRoutes !== undefined);
  // A captured connection to a wildcard may speak anything: whatever runs at that port of some host comes in here.
  const anything = !binds && WILDCARDS.includes(bind.address);
  const mixed = detected.length > 0 || (routeName !== undefined && (tcp.length > 0 || anything));
  const byBlock = detected.some(({ destinations }) => destinations.length > 0);
  const chains = new Map<string, FilterChain>();
  const add = (chain: FilterChain, hostname: string): void => {
    const key = chainKey(chain);
    if (!chains.has(key)) chains.set(key, chain);
    else {
      const message = `some of its connections at ${name} are taken by an older service of the same address`;
      scope.warn({ subject: `Service/${hostname}`, message });
    }
  };
  const http = (routes: string, match: Partial<FilterChainMatch>): FilterChain => {
    const looksUp = looksUpHosts || unknown.calls === DYNAMIC_DNS_CLUSTER;
    const filters = [
      outboundHttpFilter(scope.view.settings, name, routes, { onDemand, looksUpHosts: looksUp }),
    ];
    return FilterChain.fromPartial({ name: "http", filterChainMatch: match, filters });
  };
  if (routeName !== undefined) add(http(routeName, mixed ? HTTP_MATCH : {}), routeName);
  for (const { httpRoutes, destinations, hostname } of detected) {
    const prefixRanges = destinations.map(cidrRange);
    if (httpRoutes !== undefined) add(http(httpRoutes, { ...HTTP_MATCH, prefixRanges }), hostname);
  }
  for (const claim of tcp) {
    const client = clients[claim.through] ?? ofClass;
    for (const chain of layer4Chains(scope, client, claim, { shared, onDemand })) {
      for (const one of mixed ? besideHttp(chain, byBlock) : [chain]) add(one, claim.hostname);
    }
  }
  const all = [...chains.values()];
  const looksForTls = mixed || all.some(({ filterChainMatch: match }) => match?.transportProtocol === "tls");
  return Listener.fromPartial({
    name,
    address: anything ? capturedAddress(bind.port, ipv6) : address(bind.address, bind.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(binds ? {} : { bindToPort: false }),
    listenerFilters: [...(looksForTls ? [tlsInspector] : []), ...(mixed ? [httpInspector] : [])],
    ...(looksForTls && {
      listenerFiltersTimeout: duration(scope.view.settings.mesh.protocolDetectionTimeoutMs ?? 0),
      continueOnListenerFiltersTimeout: true,
    }),
    filterChains: all,
    ...(needsFallback(all, binds) && { defaultFilterChain: fallback(unknown) }),
  });
}

/**
 * Envoy decides by the transport before it looks at the protocol, and has no way back: a chain that would take any
 * transport is found beside HTTP's only when it names both. Blocks of addresses are told apart before that: their chains
 * have HTTP beside them only where some of it comes in by block.
 */
function besideHttp(chain: FilterChain, byBlock: boolean): readonly FilterChain[] {
  const { filterChainMatch: match } = chain;
  if (match === undefined || match.transportProtocol !== "") return [chain];
  if (match.prefixRanges.length > 0 && !byBlock) return [chain];
  return ["raw_buffer", "tls"].map((transportProtocol) => ({
    ...chain,
    filterChainMatch: { ...match, transportProtocol },
  }));
}

/** Captured connections that no chain is for are somebody else's and go on. */
function needsFallback(chains: readonly FilterChain[], binds: boolean): boolean {
  return !binds && !chains.some((chain) => chainKey(chain) === chainKey(FilterChain.fromPartial({})));
}

function fallback({ connections: cluster = BLACK_HOLE_CLUSTER }: UnknownHosts): FilterChain {
  return FilterChain.fromPartial({
    name: "PassthroughFilterChain",
    filters: [tcpProxy(cluster, [{ name: cluster, weight: 1 }])],
  });
}
