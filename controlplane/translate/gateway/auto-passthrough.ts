import { hostMatches } from "../../../mesh/model/hosts.ts";
import { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { ALPN_ISTIO, meshServerName } from "../../../mesh/xds/names.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import { serviceFor } from "../../policy/services.ts";
import { clusterPlans } from "../clusters/cluster-plans.ts";
import { tcpSettings } from "../clusters/tcp-settings.ts";
import { configMetadata } from "../config-metadata.ts";
import { tcpProxy } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import type { GatewayClass } from "./gateway-class.ts";
import type { ServerChain } from "./server-chains.ts";

/**
 * A way for each service of the mesh and each subset, chosen by the server name that a peer of the mesh asks for. TLS is
 * not taken off, so the two ends see each other's identities. Only names of mesh TLS get in: whoever comes out at the other
 * side has to present an identity there.
 */
export function autoPassthroughChains(
  scope: Scope,
  of: GatewayClass,
  bound: BoundServer,
): readonly ServerChain[] {
  const { view } = scope;
  return passedHosts(scope, of, [bound]).flatMap((hostname) =>
    clusterPlans(view, of.client, hostname, meshServerName).map(({ name, port, subset }): ServerChain => {
      // What is led on is mesh TLS, so there is nothing to ask another proxy for.
      const { tunnelingConfig: _, ...settings } = tcpSettings(view, of.client, { hostname, port, subset });
      return {
        serverNames: [name],
        alpn: ALPN_ISTIO,
        chain: FilterChain.fromPartial({
          filters: [tcpProxy(name, [{ name, weight: 1 }], settings)],
          metadata: configMetadata(bound.gateway),
        }),
      };
    }),
  );
}

/** Services that come through AUTO_PASSTHROUGH servers: those of the mesh that the gateway sees and a host covers. */
export function passedHosts(
  { view }: Scope,
  of: GatewayClass,
  servers: readonly BoundServer[],
): readonly string[] {
  const patterns = servers
    .filter(({ server }) => server.tls?.mode === "AUTO_PASSTHROUGH")
    .flatMap(({ hosts }) => hosts.map(({ host }) => host));
  if (patterns.length === 0) return [];
  return view.hosts.flatMap(({ hostname, key }) => {
    if (!patterns.some((pattern) => hostMatches(pattern, hostname))) return [];
    const service = serviceFor(view, hostname, of.client);
    return service?.key === key && !service.external ? [hostname] : [];
  });
}
