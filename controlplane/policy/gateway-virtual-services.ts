import { hostMatches, resolveHost } from "../../mesh/model/hosts.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { BoundServer } from "./gateways.ts";
import { nearestFirst } from "./virtual-services.ts";

type VirtualService = StoredObject<"VirtualService">;

/** A VirtualService at a server, with the hosts that both have. */
export interface ServedHosts {
  readonly virtualService: VirtualService;
  /** Lower case, never empty. */
  readonly hosts: readonly string[];
}

/**
 * The VirtualServices that are bound to a server's Gateway and share a host with the server, as a gateway workload of a
 * namespace sees them: its own first, then those exported to it, then the public ones, each oldest first.
 */
export function virtualServicesAt(
  view: SnapshotView,
  { gatewayKey, hosts }: Pick<BoundServer, "gatewayKey" | "hosts">,
  namespace: string,
): readonly ServedHosts[] {
  const knows = (hostname: string): boolean => view.services(hostname).length > 0;
  const bound = nearestFirst(view, view.virtualServicesOf(gatewayKey), namespace);
  return bound.flatMap((virtualService) => {
    const { metadata, spec } = virtualService;
    const offered = hosts
      .filter((one) => one.namespace === "*" || one.namespace === metadata.namespace)
      .map(({ host }) => host.toLowerCase());
    const wanted = spec.hosts.map((host) =>
      resolveHost(host, metadata.namespace, view.settings.domainSuffix, knows),
    );
    const shared = wanted.flatMap((host) => offered.flatMap((other) => narrower(host, other) ?? []));
    return shared.length === 0 ? [] : [{ virtualService, hosts: [...new Set(shared)] }];
  });
}

/** What both patterns cover. */
function narrower(a: string, b: string): string | undefined {
  if (hostMatches(b, a)) return a;
  return hostMatches(a, b) ? b : undefined;
}
