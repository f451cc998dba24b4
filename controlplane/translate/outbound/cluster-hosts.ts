import type { Client } from "../../policy/client.ts";
import { findService, serviceFor } from "../../policy/services.ts";
import type { Scope } from "../memo.ts";
import { destinationsOf, routedForeignHost } from "../routes/routed-host.ts";
import { clientsThrough, type EgressClass, egressScope } from "./egress-class.ts";
import { foreignHostsFor } from "./foreign-hosts.ts";

/**
 * The services that there must be clusters for: all that may be called, and where the VirtualServices lead of these and of
 * hosts that only these have. Within the whole mesh these are the same; and a gateway's are those that its own routes name:
 * the mesh's are not for what it calls.
 */
export function clusterHosts(scope: Scope, of: EgressClass): readonly string[] {
  return scope.get(
    `cluster-hosts/${of.key}`,
    (inner) => {
      const { listeners, outboundTrafficPolicy } = egressScope(inner, of);
      const [only, ...others] = listeners;
      const proxy = outboundTrafficPolicy.egressProxy;
      const isAll =
        of.client.role === "gateway" ||
        (of.source.kind === "mesh" && others.length === 0 && proxy === undefined);
      if (isAll && only !== undefined) return only.hosts;
      const hosts = new Set(listeners.flatMap((listener) => listener.hosts));
      for (const [index, client] of clientsThrough(inner, of).entries()) {
        for (const hostname of ledTo(inner, of, client, listeners[index]?.hosts ?? [])) hosts.add(hostname);
      }
      const beyond = proxy && findService(inner.view, proxy.host, of.client.namespace, of.client);
      if (beyond !== undefined) hosts.add(beyond.hostname);
      return [...hosts];
    },
    (a, b) => a.length === b.length && a.every((host, index) => host === b[index]),
  );
}

/** Where calls lead that come in through one listener. */
function ledTo(scope: Scope, of: EgressClass, client: Client, hosts: readonly string[]): readonly string[] {
  const called = hosts.flatMap((host) =>
    (serviceFor(scope.view, host, client)?.ports ?? []).flatMap(({ number }) =>
      destinationsOf(scope, client, host, number),
    ),
  );
  const foreign = [...foreignHostsFor(scope, of, client)].flatMap(([port, names]) =>
    names.flatMap((host) => routedForeignHost(scope, client, host, port)?.destinations ?? []),
  );
  return [...called, ...foreign].map(({ hostname }) => hostname);
}
