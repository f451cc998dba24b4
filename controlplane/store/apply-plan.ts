import { isDeepStrictEqual } from "node:util";
import { MeshError } from "../../mesh/errors.ts";
import {
  type Kind,
  type ObjectKey,
  objectKey,
  type ParsedObject,
  type StoredObject,
} from "../../mesh/model/object.ts";
import type { AppliedObject, ApplyOptions, StoreChange, Unsettled } from "./config-store.ts";

/** What is kept under a key. */
export interface Holding {
  readonly createdAt: number;
  readonly origin: string;
  /** Undefined when what is kept no longer parses. */
  readonly object: StoredObject | undefined;
  /** Undefined: the object is settled. */
  readonly pending: Pending | undefined;
}

/** An object is not settled; `kept` is the last revision that was. */
export interface Pending {
  readonly kept: StoredObject | undefined;
}

/** Kinds whose newest revision may lead to what does not exist, so that the one before stays in force. */
const LEADS_SOMEWHERE: ReadonlySet<Kind> = new Set<Kind>(["VirtualService"]);

export interface ApplyPlan {
  readonly applied: readonly AppliedObject[];
  readonly changes: readonly StoreChange[];
}

/**
 * What an apply does to the holdings: pure, so that every store does the same. `revision` is the one that the
 * transaction gets if it changes anything. Throws `object.conflict`.
 */
export function planApply(
  holdings: ReadonlyMap<ObjectKey, Holding>,
  objects: readonly ParsedObject[],
  options: ApplyOptions,
  at: { readonly now: number; readonly revision: number },
): ApplyPlan {
  const applied = new Map<ObjectKey, AppliedObject>();
  const changes: StoreChange[] = [];
  for (const object of objects) {
    const key = keyOf(object);
    if (applied.has(key)) throw new MeshError("object.conflict", `${key} is applied twice at once`);
    const held = holdings.get(key);
    checkOrigin(key, held, options.origin, options.adopt);
    const result = applyOne(object, held, options.origin, at);
    applied.set(key, result);
    if (result.outcome === "unchanged") continue;
    changes.push({ key, before: held?.object, after: result.object, kept: keptOf(held) });
  }
  if (options.prune === true) {
    for (const [key, held] of holdings) {
      if (held.origin === options.origin && !applied.has(key))
        changes.push({ key, before: held.object, after: undefined });
    }
  }
  return { applied: [...applied.values()], changes };
}

/** How a store holds an object that has been changed. */
export function holdingOf(object: StoredObject, kept: StoredObject | undefined): Holding {
  const { createdAt, origin } = object;
  return { createdAt, origin, object, pending: LEADS_SOMEWHERE.has(object.kind) ? { kept } : undefined };
}

/** The objects of some holdings that are not settled. */
export function unsettledOf(holdings: Iterable<Holding>): readonly Unsettled[] {
  const unsettled: Unsettled[] = [];
  for (const { object, pending } of holdings) {
    if (object !== undefined && pending !== undefined) unsettled.push({ object, kept: pending.kept });
  }
  return unsettled;
}

export function keyOf({ kind, metadata }: ParsedObject): ObjectKey {
  return objectKey(kind, metadata.namespace, metadata.name);
}

/** Throws `object.conflict` unless the origin may change what is held. */
export function checkOrigin(
  key: ObjectKey,
  held: Holding | undefined,
  origin: string,
  adopt: readonly string[] = [],
): void {
  if (held === undefined || held.origin === origin || adopt.includes(held.origin)) return;
  const fromFile = held.origin !== "api";
  throw new MeshError(
    "object.conflict",
    `${key} belongs to ${fromFile ? `file ${held.origin}` : "the API"}`,
    {
      hint: fromFile
        ? `change it in ${held.origin}`
        : `delete it first: lateen delete, or leave it out of ${origin}`,
    },
  );
}

/** The last settled revision, once there is one after what is held. */
function keptOf(held: Holding | undefined): StoredObject | undefined {
  if (held?.pending !== undefined) return held.pending.kept;
  return held?.object !== undefined && LEADS_SOMEWHERE.has(held.object.kind) ? held.object : undefined;
}

function applyOne(
  object: ParsedObject,
  held: Holding | undefined,
  origin: string,
  { now, revision }: { readonly now: number; readonly revision: number },
): AppliedObject {
  const stored = held?.object;
  if (stored?.origin === origin && isDeepStrictEqual(stored.written, object.written))
    return { object: stored, outcome: "unchanged" };
  return {
    object: { ...object, createdAt: held?.createdAt ?? now, revision, origin },
    outcome: held === undefined ? "created" : "configured",
  };
}
