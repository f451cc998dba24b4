import type { Service } from "../../mesh/model/service.ts";
import { hostPatterns } from "../snapshot/host-names.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { Client } from "./client.ts";
import { type Visibility, visibility } from "./export-to.ts";
import { importsService } from "./imports.ts";

/** Who calls, as far as it decides which of several services of one host is meant. */
export type ServiceClient = Pick<Client, "namespace" | "prefers">;

type View = Pick<SnapshotView, "settings" | "services">;

/**
 * The service that a client calls by a host name, of those that it sees: one of its own namespace, else one of a catalog or
 * of agents, else one that is exported to its namespace by name, else a public one; among equals the oldest. Where its
 * Sidecar imports some of them, one of these. It is the one place that chooses: all that a client has is of this service.
 */
export function serviceFor(view: View, hostname: string, client: ServiceClient): Service | undefined {
  const all = view.services(hostname);
  const [only] = all;
  if (all.length <= 1) return only && isVisible(view, only, client.namespace) ? only : undefined;
  const seen = all.filter((one) => isVisible(view, one, client.namespace));
  const preferred = seen.filter((one) => client.prefers.some((imports) => importsService(imports, one)));
  const choice = preferred.length > 0 ? preferred : seen;
  const nearest = Math.min(...choice.map((one) => distance(view, one, client)));
  return choice.find((one) => distance(view, one, client) === nearest);
}

/** The service that a host means to a client when an object or a workload of `namespace` names it. */
export function findService(
  view: View,
  host: string,
  namespace: string,
  client: ServiceClient,
): Service | undefined {
  for (const hostname of hostPatterns(host, namespace, view.settings)) {
    const service = serviceFor(view, hostname, client);
    if (service !== undefined) return service;
  }
  return undefined;
}

/** The port of a service that an upstream means: the one that it names, or the first where it names none (0). */
export function upstreamPort(service: Pick<Service, "ports"> | undefined, port: number): number {
  return port === 0 ? (service?.ports[0]?.number ?? 0) : port;
}

/** Whether the workloads of a namespace may see a service. */
export function isVisible(
  view: View,
  service: Pick<Service, "exportTo" | "namespace">,
  from: string,
): boolean {
  return serviceVisibility(view, service, from) !== undefined;
}

/** One that says nothing follows the mesh's default. */
function serviceVisibility(
  { settings }: View,
  { exportTo, namespace }: Pick<Service, "exportTo" | "namespace">,
  from: string,
): Visibility | undefined {
  const said = exportTo.length > 0 ? exportTo : settings.mesh.defaultServiceExportTo;
  return visibility(said, namespace, from);
}

/** The least is the nearest. */
function distance(view: View, service: Service, { namespace }: ServiceClient): number {
  const owner = service.namespace === namespace ? 0 : service.source === "ServiceEntry" ? 2 : 1;
  return 2 * owner + Number(serviceVisibility(view, service, namespace) === "public");
}
