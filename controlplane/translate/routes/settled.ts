import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Destination } from "../../../mesh/model/virtual-service.ts";
import { type Client, clientOf, routingKey } from "../../policy/client.ts";
import { delegateOf } from "../../policy/delegates.ts";
import { mirrorsOf } from "../../policy/mirrors.ts";
import { findService } from "../../policy/services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { MeshSnapshot } from "../../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { type SnapshotView, viewOf, workloadConfig } from "../../snapshot/snapshot-view.ts";
import type { Unsettled } from "../../store/config-store.ts";
import { resolveDestination, weighted } from "../destinations.ts";

/**
 * Of objects that are not settled, those whose newest revision has shown that it can be in force: all its destinations and
 * delegates exist for some workload, and for every other for which those of the kept revision do; and nothing that is published has
 * the kept one. Looks at all workloads of the snapshot, whether or not their agents are connected: after a restart a kept
 * revision has to wait for them.
 */
export function settledObjects(
  snapshot: MeshSnapshot,
  unsettled: readonly Unsettled[],
  warnings: readonly PublishWarning[],
): readonly StoredObject[] {
  const staying = new Set(
    warnings.flatMap(({ subject, inForce }) => (inForce === undefined ? [] : [subject])),
  );
  const judged = unsettled.filter(({ object }) => !staying.has(keyOf(object)));
  if (judged.length === 0) return [];
  const view = viewOf(snapshot);
  const clients = clientsOf(snapshot, view);
  return judged
    .filter(({ object, kept }) => {
      const suits = (client: Client): boolean => allExist(view, client, object);
      if (!clients.some(suits)) return false;
      return kept === undefined || clients.every((one) => suits(one) || !allExist(view, one, kept));
    })
    .map(({ object }) => object);
}

/** One client for all workloads that routing does not tell apart. */
function clientsOf({ workloads }: MeshSnapshot, view: SnapshotView): readonly Client[] {
  const clients = new Map<string, Client>();
  for (const workload of workloads.values()) {
    const client = clientOf(view, workloadConfig(workload));
    clients.set(routingKey(client), client);
  }
  return [...clients.values()];
}

function allExist(view: SnapshotView, client: Client, object: StoredObject): boolean {
  const virtualService = object as StoredObject<"VirtualService">;
  const delegates = virtualService.spec.http.flatMap(({ delegate }) => delegate ?? []);
  if (delegates.some((one) => typeof delegateOf(view, virtualService, one) === "string")) return false;
  const { namespace } = object.metadata;
  return destinationsOf(virtualService).every((destination) => {
    const service = findService(view, destination.host, namespace, client);
    // Which port a destination without one means depends on the call: one of the service's.
    const asked = service?.ports[0]?.number ?? 0;
    return resolveDestination(view, client, destination, namespace, asked).kind === "found";
  });
}

/** What it names itself: where its delegates lead is their own affair. */
function destinationsOf({ spec }: StoredObject<"VirtualService">): readonly Destination[] {
  const mirrors = spec.http.flatMap(mirrorsOf).filter(({ percent }) => percent > 0);
  const routes = [...spec.http, ...spec.tls, ...spec.tcp].flatMap(({ route }) =>
    weighted<(typeof route)[number]>(route),
  );
  return [...routes, ...mirrors].map(({ destination }) => destination);
}
