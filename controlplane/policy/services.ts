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
    if (service && visibility(service.exportTo, service.namespace, client) !== undefined) return service;
  }
  return undefined;
}
