import { isIP, isIPv6 } from "node:net";
import type { Service } from "../../../mesh/model/service.ts";
import { loopbackVip } from "../../../mesh/model/vips.ts";
import { type ServiceClient, serviceFor } from "../../policy/services.ts";
import { parseServiceHostname, serviceHostname } from "../../snapshot/host-names.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";

/** Namespace of the names that have no place for one: `reviews.mesh`, `reviews.service.consul`. */
const ALIAS_NAMESPACE = "default";

/**
 * All that a client writes in the host header for a service, without ports: its name, the short forms of it that mean it
 * in the client's namespace, its addresses.
 */
export function serviceDomains(
  view: SnapshotView,
  service: Service,
  client: ServiceClient,
): readonly string[] {
  const { hostname, addresses } = service;
  const absolute = isIP(hostname) === 0 ? [`${hostname}.`] : [];
  return [hostname, ...absolute, ...shortNames(view, hostname, client), ...addresses.flatMap(asDomain)];
}

function shortNames(view: SnapshotView, hostname: string, client: ServiceClient): readonly string[] {
  const parsed = parseServiceHostname(hostname, view.settings);
  if (parsed === undefined) return [];
  const { name, namespace } = parsed;
  return [
    ...(namespace === client.namespace ? [name] : []),
    `${name}.${namespace}`,
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.mesh`,
    ...(namespace === ALIAS_NAMESPACE ? [`${name}.mesh`] : []),
    ...(isConsuls(view, name, namespace, client) ? [`${name}.service.consul`] : []),
  ];
}

/** Consul's name means the service of the caller's own namespace, else that of `default`. */
function isConsuls(view: SnapshotView, name: string, namespace: string, client: ServiceClient): boolean {
  if (namespace === client.namespace) return true;
  if (namespace !== ALIAS_NAMESPACE) return false;
  return serviceFor(view, serviceHostname(name, client.namespace, view.settings), client) === undefined;
}

/** CIDR blocks and "any address" are no hosts. A VIP of ours is also called at its loopback twin. */
function asDomain(address: string): readonly string[] {
  if (isIP(address) === 0 || address === "0.0.0.0" || address === "::") return [];
  const twin = loopbackVip(address);
  return [isIPv6(address) ? `[${address}]` : address, ...(twin === undefined ? [] : [twin])];
}
