import type { ObjectDiff } from "../../mesh/admin-api/replies.ts";
import type { ObjectKey, ParsedObject, StoredObject } from "../../mesh/model/object.ts";
import { shownDocument } from "../../mesh/model/secret-redaction.ts";
import { by } from "../snapshot/text-order.ts";
import { keyOf } from "../store/apply-plan.ts";
import { diffValues } from "./diff-values.ts";

type Objects = ReadonlyMap<ObjectKey, ParsedObject>;

export function byKey<T extends ParsedObject>(objects: readonly T[]): ReadonlyMap<ObjectKey, T> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}

/** What becomes of each object, sorted by kind, namespace and name. Secrets are told without their values. */
export function diffObjects(before: Objects, after: Objects): readonly ObjectDiff[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys]
    .map((key) => diffObject(before.get(key), after.get(key)))
    .filter((diff) => diff !== undefined)
    .sort(by(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`));
}

/** Objects with others over them. One that is replaced gives its creation time on, as in a store. */
export function overlaid(
  objects: readonly StoredObject[],
  over: readonly StoredObject[],
): readonly StoredObject[] {
  const known = byKey(objects);
  const replaced = over.map((object) => {
    const createdAt = known.get(keyOf(object))?.createdAt ?? object.createdAt;
    return createdAt === object.createdAt ? object : { ...object, createdAt };
  });
  return [...new Map([...known, ...byKey(replaced)]).values()];
}

function diffObject(
  before: ParsedObject | undefined,
  after: ParsedObject | undefined,
): ObjectDiff | undefined {
  const object = after ?? before;
  if (object === undefined) return undefined;
  const { kind, metadata } = object;
  const identity = { kind, namespace: metadata.namespace, name: metadata.name };
  if (before === undefined) return { ...identity, change: "created", fields: [] };
  if (after === undefined) return { ...identity, change: "deleted", fields: [] };
  const written = diffValues(before.written, after.written);
  const change = written.length === 0 ? "unchanged" : "changed";
  return { ...identity, change, fields: diffValues(shownDocument(before), shownDocument(after)) };
}
