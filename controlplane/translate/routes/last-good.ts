import type { ObjectKey, StoredObject } from "../../../mesh/model/object.ts";
import { withHeld } from "../../policy/kept-view.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { Scope } from "../memo.ts";
import type { MissingDestination } from "./destination-resolver.ts";

/** What VirtualServices say to a client, and the destinations of it that do not exist. */
export interface Attempt<T> {
  readonly said: T;
  readonly missing: readonly MissingDestination[];
}

/**
 * What is in force: what the newest revisions say or, where that leads to what does not exist, the same with the kept
 * revision of each VirtualService that leads there. Those stay only if then all of it exists, and `again`, which says what
 * holds as a view has it, still has it of the same VirtualService. Warns of what is missing, and of what stays in force.
 */
export function lastGood<T>(
  scope: Scope,
  newest: Attempt<T>,
  again: (view: SnapshotView) => Attempt<T> | undefined,
): T {
  const held = new Map<ObjectKey, StoredObject<"VirtualService">>();
  const missing: MissingDestination[] = [];
  let attempt: Attempt<T> | undefined = newest;
  // Each round holds another object back: a kept root may have other delegates than the newest.
  while (attempt !== undefined && attempt.missing.length > 0) {
    missing.push(...attempt.missing);
    const before = held.size;
    for (const { owner } of attempt.missing) {
      const kept = scope.view.kept(keyOf(owner));
      if (kept !== undefined) held.set(keyOf(owner), kept);
    }
    attempt = held.size > before ? again(withHeld(scope.view, held)) : undefined;
  }
  if (attempt === undefined) {
    for (const { owner, message, consequence } of newest.missing)
      scope.warn({ subject: keyOf(owner), message: `${message}; ${consequence}` });
    return newest.said;
  }
  for (const { owner, message } of missing) {
    const { revision = 0 } = held.get(keyOf(owner)) ?? {};
    const stays = `revision ${revision}, whose destinations all exist, stays in force`;
    scope.warn({ subject: keyOf(owner), message: `${message}; ${stays}`, inForce: revision });
  }
  return attempt.said;
}
