import { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { BLACK_HOLE_CLUSTER, outboundClusterName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { serviceFor } from "../../policy/services.ts";
import { cidrRange } from "../addresses.ts";
import { withServerBans } from "../ban-metadata.ts";
import { sharedTcpSettings } from "../clusters/tcp-settings.ts";
import { configMetadata } from "../config-metadata.ts";
import { onDemandCluster, tcpProxy } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import type { Layer4Route } from "../routes/layer4-routes.ts";
import { routedConnections } from "../routes/routed-host.ts";
import type { TcpClaim } from "./egress-plan.ts";

type Claim = Omit<TcpClaim, "through" | "httpRoutes">;

export interface ChainOptions {
  /** Others may come in at the same address: TLS is told by the server's name when nothing else tells it. */
  readonly shared?: boolean;
  /** Clusters come as they are called (ODCDS). */
  readonly onDemand?: boolean;
}

/** The chains that a service's connections take through one listener. */
export function layer4Chains(
  scope: Scope,
  client: Client,
  claim: Claim,
  { shared = false, onDemand = false }: ChainOptions = {},
): FilterChain[] {
  return routedConnections(scope, client, claim).routes.map((route) => {
    const settings = sharedTcpSettings(scope.view, client, route.destinations);
    const made = chain(route, claim, shared, { ...settings, ...(onDemand && onDemandCluster) });
    const called = route.destinations.flatMap(
      ({ hostname }) => serviceFor(scope.view, hostname, client) ?? [],
    );
    const services = called.map(({ key }) => key);
    return { ...made, metadata: withServerBans(scope.view, services, made.metadata) };
  });
}

function chain(
  route: Layer4Route,
  { hostname, port, tls, destinations }: Claim,
  shared: boolean,
  settings: Parameters<typeof tcpProxy>[2],
): FilterChain {
  const subnets = route.destinationSubnets.length > 0 ? route.destinationSubnets : destinations;
  const byName = tls && shared && subnets.length === 0 && route.sniHosts.length === 0;
  const serverNames = byName ? [hostname] : route.sniHosts;
  const clusters = route.clusters.length > 0 ? route.clusters : [{ name: BLACK_HOLE_CLUSTER, weight: 1 }];
  return FilterChain.fromPartial({
    filterChainMatch: {
      prefixRanges: subnets.map(cidrRange),
      sourcePrefixRanges: route.sourceSubnet === "" ? [] : [cidrRange(route.sourceSubnet)],
      serverNames: serverNames.filter((name) => name !== "*"),
      transportProtocol: tls && (serverNames.length > 0 || shared) ? "tls" : "",
    },
    filters: [tcpProxy(outboundClusterName(port, "", hostname), clusters, settings)],
    metadata: route.virtualService && configMetadata(route.virtualService),
  });
}

/** What a chain asks of a connection, as text: Envoy refuses a listener two of whose chains ask for the same. */
export function chainKey({ filterChainMatch: match }: FilterChain): string {
  return JSON.stringify([
    match?.destinationPort ?? 0,
    match?.prefixRanges ?? [],
    match?.sourcePrefixRanges ?? [],
    match?.serverNames ?? [],
    match?.transportProtocol ?? "",
    match?.applicationProtocols ?? [],
  ]);
}
