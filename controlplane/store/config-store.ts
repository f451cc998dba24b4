import type { Kind, ObjectKey, ParsedObject, StoredObject } from "../../mesh/model/object.ts";

type ApplyOutcome = "created" | "configured" | "unchanged";

export interface AppliedObject {
  readonly object: StoredObject;
  readonly outcome: ApplyOutcome;
}

export interface StoreChange {
  readonly key: ObjectKey;
  readonly before: StoredObject | undefined;
  readonly after: StoredObject | undefined;
  /** What was in force before `after`, of which nobody has seen yet that it can be: see `ConfigStore.unsettled`. */
  readonly kept?: StoredObject | undefined;
}

/** The newest revision of an object, as long as it has not been seen that it can be in force for everybody. */
export interface Unsettled {
  readonly object: StoredObject;
  /** The last revision that could; undefined: there was none. */
  readonly kept: StoredObject | undefined;
}

export interface ApplyOptions {
  /** Who the objects belong to from now on: `api`, or a file's path. */
  readonly origin: string;
  /** Tells the outcome and stores nothing. */
  readonly dryRun?: boolean;
  /** Deletes the origin's other objects in the same transaction. */
  readonly prune?: boolean;
  /** Origins that give their objects up: these change hands and keep their creation time. */
  readonly adopt?: readonly string[];
}

/** Keeps the configuration objects: sqlite here; Consul KV, for several servers, in an issue of its own. */
export interface ConfigStore {
  /** Grows with every change. */
  readonly revision: number;
  /** All objects, or those of a kind and a namespace, in Istio's order of precedence. */
  list(filter?: { readonly kind?: Kind; readonly namespace?: string }): readonly StoredObject[];
  get(key: ObjectKey): StoredObject | undefined;
  /**
   * Stores all objects in one transaction, or none. An object that is equal to the stored one stays untouched;
   * `createdAt` is set on the first apply and kept for good. An object that belongs to another origin (the watched
   * directory) is refused with `object.conflict`; what a guard throws is thrown, and nothing is stored.
   */
  apply(objects: readonly ParsedObject[], options: ApplyOptions): readonly AppliedObject[];
  /** False when there was no such object. That of another origin is refused with `object.conflict`. */
  delete(key: ObjectKey, options: { readonly origin: string }): boolean;
  /**
   * Objects with a newest revision that has yet to show that it can be in force, each with the revision that stays in force
   * until then: one for an object, deleted with it. Only kinds that lead somewhere have these: VirtualServices.
   */
  unsettled(): readonly Unsettled[];
  /** These revisions are in force: what was kept for them is deleted. A revision that is no longer the newest is passed over. */
  settle(objects: readonly StoredObject[]): void;
  /** Asks before each apply that would change something, a dry run too, until the signal is aborted. To refuse, throw. */
  guard(check: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void;
  /** Calls back after each transaction that changed something, until the signal is aborted. */
  onChange(listener: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void;
}
