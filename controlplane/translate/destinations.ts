import type { Destination } from "../../mesh/model/virtual-service.ts";
import { BLACK_HOLE_CLUSTER, outboundClusterName } from "../../mesh/xds/names.ts";
import type { Client } from "../policy/client.ts";
import { destinationPolicy, findDestinationRules } from "../policy/destination-rules.ts";
import { findService } from "../policy/services.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

/** A service port, or a subset of it: what one outbound cluster is for. */
export interface ServiceDestination {
  readonly hostname: string;
  readonly port: number;
  /** Empty: the whole service. */
  readonly subset: string;
}

/** Where a VirtualService's destination leads: a port of a service, or nowhere, and why. */
export type ResolvedDestination =
  | ({ readonly kind: "found" } & ServiceDestination)
  | { readonly kind: "missing"; readonly reason: string };

/**
 * `namespace` is that of the object which names the destination. Without a port it is the service's only one, else the
 * one that the caller asked for.
 */
export function resolveDestination(
  view: SnapshotView,
  client: Client,
  destination: Destination,
  namespace: string,
  askedPort: number,
): ResolvedDestination {
  const { host, subset } = destination;
  const service = findService(view, host, namespace, client);
  if (service === undefined) return { kind: "missing", reason: `there is no service ${host}` };
  const only = service.ports.length === 1 ? service.ports[0]?.number : undefined;
  const port = destination.port ?? only ?? askedPort;
  if (!service.ports.some(({ number }) => number === port)) {
    const known = service.ports.map(({ number }) => number).join(", ") || "none";
    return { kind: "missing", reason: `service ${service.hostname} has no port ${port} (it has ${known})` };
  }
  if (subset !== "") {
    const { subsets } = destinationPolicy(view, findDestinationRules(view, client, service));
    if (!subsets.some(({ name }) => name === subset)) {
      return {
        kind: "missing",
        reason: `no DestinationRule that counts here defines subset ${subset} of ${service.hostname}`,
      };
    }
  }
  return { kind: "found", hostname: service.hostname, port, subset };
}

export function clusterOf(destination: ResolvedDestination): string {
  return destination.kind === "missing"
    ? BLACK_HOLE_CLUSTER
    : outboundClusterName(destination.port, destination.subset, destination.hostname);
}

/** Weights count only among several; a destination of weight 0 then gets nothing. */
export function weighted<T extends { readonly weight: number }>(destinations: readonly T[]): readonly T[] {
  return destinations.length <= 1 ? destinations : destinations.filter(({ weight }) => weight > 0);
}
