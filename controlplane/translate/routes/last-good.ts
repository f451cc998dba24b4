import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Client } from "../../policy/client.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { destinationExists, type ServiceDestination } from "../destinations.ts";

/** What a VirtualService says to one client, as far as it decides whether a newer revision takes its place. */
export interface Ruling {
  /** As it was when the routes were made; undefined: the service's default route. */
  readonly virtualService: StoredObject<"VirtualService"> | undefined;
  /** The newest revision of it and of the delegates that are in it; 0 without one. */
  readonly revision: number;
  /** Where its routes and mirrors lead, each once. What does not exist is not among them. */
  readonly destinations: readonly ServiceDestination[];
  /** All destinations existed when the routes were made. */
  readonly complete: boolean;
}

/**
 * Whether an earlier revision of the same VirtualService stays in force: the new one leads to what does not exist, and
 * all that the earlier one leads to still does.
 */
export function staysInForce(view: SnapshotView, client: Client, before: Ruling, after: Ruling): boolean {
  const [then, now] = [before.virtualService, after.virtualService];
  return (
    !after.complete &&
    before.complete &&
    then !== undefined &&
    now !== undefined &&
    keyOf(then) === keyOf(now) &&
    then.createdAt === now.createdAt &&
    before.revision < after.revision &&
    before.destinations.every((destination) => destinationExists(view, client, destination))
  );
}

/** What a warning says of the destinations that are missing from the revision that stays out. */
export function stayingText({ revision }: Ruling): string {
  return `revision ${revision}, whose destinations all exist, stays in force`;
}
