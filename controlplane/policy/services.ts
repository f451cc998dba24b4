import type { Service } from "../../mesh/model/service.ts";
import { hostPatterns } from "../snapshot/host-names.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { visibility } from "./export-to.ts";

/** The service that a host means when an object or a workload of `namespace` names it, if `client` may see it. */
export function findService(
  view: SnapshotView,
  host: string,
  namespace: string,
  client: string = namespace,
): Service | undefined {
  for (const hostname of hostPatterns(host, namespace, view.settings)) {
    const service = view.service(hostname);
    if (service && isVisible(view, service, client)) return service;
  }
  return undefined;
}

/** Whether the workloads of a namespace may see a service. One that says nothing follows the mesh's default. */
export function isVisible(
  { settings }: SnapshotView,
  { exportTo, namespace }: Pick<Service, "exportTo" | "namespace">,
  from: string,
): boolean {
  const said = exportTo.length > 0 ? exportTo : settings.mesh.defaultServiceExportTo;
  return visibility(said, namespace, from) !== undefined;
}
