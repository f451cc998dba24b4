import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { listenerName } from "../../../mesh/xds/names.ts";
import type { BoundServer, GatewayListener } from "../../policy/gateways.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { address } from "../addresses.ts";
import { tlsInspector } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import type { GatewayClass } from "./gateway-class.ts";
import { ALL_ADDRESSES } from "./gateway-filters.ts";
import { type ServerChain, serverChain, tlsServerChains, where } from "./server-chains.ts";

/** One listening socket of a gateway; undefined when nothing of it could be served. */
export function gatewayListener(
  scope: Scope,
  of: GatewayClass,
  { bind, port, kind, servers }: GatewayListener,
): Listener | undefined {
  const filterChains = kind === "tls" ? tlsChains(scope, of, servers) : plaintextChains(scope, of, servers);
  if (filterChains.length === 0) return undefined;
  const host = bind || ALL_ADDRESSES;
  return Listener.fromPartial({
    name: listenerName(host, port),
    address: address(host, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: kind === "tls" ? [tlsInspector] : [],
    filterChains,
  });
}

function plaintextChains(scope: Scope, of: GatewayClass, servers: readonly BoundServer[]): FilterChain[] {
  const [first] = servers;
  const chain = first && serverChain(scope, of, first);
  return chain === undefined ? [] : [chain];
}

/** Envoy refuses a listener two of whose chains ask for the same: the first keeps what both do. */
function tlsChains(scope: Scope, of: GatewayClass, servers: readonly BoundServer[]): FilterChain[] {
  const taken = new Set<string>();
  const chains: FilterChain[] = [];
  let serving = false;
  for (const bound of servers) {
    for (const one of tlsServerChains(scope, of, bound)) {
      const names = one.serverNames.length === 0 ? [""] : one.serverNames;
      const free = names.filter((name) => !taken.has(matchKey(name, one)));
      if (free.length < names.length) {
        const lost = names.filter((name) => !free.includes(name)).map((name) => name || "any server name");
        scope.warn({
          subject: keyOf(bound.gateway),
          message: `${where(bound)} does not get ${lost.join(", ")}: an earlier one has it`,
        });
      }
      if (free.length === 0) continue;
      for (const name of free) taken.add(matchKey(name, one));
      chains.push(FilterChain.fromPartial({ ...one.chain, filterChainMatch: toMatch(one, free) }));
      serving ||= !one.closes;
    }
  }
  return serving ? chains : [];
}

function matchKey(serverName: string, { alpn }: ServerChain): string {
  return `${serverName} ${alpn.join()}`;
}

/** Where nothing else keeps plaintext out (TLS that is passed on with any name), the match does. */
function toMatch({ alpn, chain }: ServerChain, names: readonly string[]): object {
  const serverNames = names.filter((name) => name !== "");
  return {
    serverNames,
    applicationProtocols: [...alpn],
    transportProtocol: serverNames.length === 0 && chain.transportSocket === undefined ? "tls" : "",
  };
}
