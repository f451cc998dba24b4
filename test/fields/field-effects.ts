import type { z } from "zod";
import type { FieldPath } from "../../mesh/model/finding.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { type Document, documentsOf, type FieldMesh, outcomeOf, type Parsed, parsed } from "./field-mesh.ts";
import { type WrittenField, written, writtenFields } from "./schema-fields.ts";

/**
 * Changes the fields that these meshes say, one at a time, until each has made a difference to what somebody gets.
 * Returns the keys of those that have.
 */
export function effectiveFields(meshes: readonly FieldMesh[]): ReadonlySet<string> {
  const effective = new Set<string>();
  for (const { name, yaml, workloads } of meshes) {
    const documents = documentsOf(yaml);
    const objects = parsed(documents);
    if (objects === undefined) throw new Error(`${name}: its objects are refused`);
    let outcome: string | undefined;
    for (const [index, document] of documents.entries()) {
      for (const field of writtenFields(document["kind"] as Kind, document["spec"])) {
        if (field.chain.every((key) => effective.has(key))) continue;
        outcome ??= outcomeOf(objects, workloads);
        const makesDifference = variants(documents, index, field).some(
          (variant) => outcomeOf(variant, workloads) !== outcome,
        );
        if (makesDifference) for (const key of field.chain) effective.add(key);
      }
    }
  }
  return effective;
}

/** The objects with one field changed, in each way in which they are still valid. */
function* variants(
  documents: readonly Document[],
  index: number,
  { path, schema }: WrittenField,
): Generator<Parsed, undefined> {
  for (const other of others(valueAt(documents[index], ["spec", ...path]), schema)) {
    const objects = parsed(
      documents.map((one, at) => (at === index ? (changed(one, ["spec", ...path], other) as Document) : one)),
    );
    if (objects !== undefined) yield objects;
  }
}

/** Texts among which there is another one that most fields take. */
const TEXTS = [
  "other",
  "other.example",
  "*.other.example",
  "10.9.9.9",
  "10.9.9.0/24",
  "9s",
  "80",
  "GET",
  "TCP",
  "remote.ip",
];

/** Undefined: the field is left out. */
function others(value: unknown, schema: z.core.$ZodType): readonly unknown[] {
  const def = written(schema);
  if (def.type === "enum") return [undefined, ...Object.values(def.entries)];
  if (Array.isArray(value)) return [undefined, [], value.slice(1), [...value.slice(1), "other.example"]];
  switch (typeof value) {
    case "string":
      return [undefined, `${value}x`, ...TEXTS];
    case "number":
      return [undefined, value + 1, value - 1, value * 2, 81, 301, 5_000_011];
    case "boolean":
      return [undefined, !value];
    default:
      return [undefined, {}, ...(def.type === "record" ? otherMaps(value as Document) : [])];
  }
}

/** One with a key more, and one with the values in another order. */
function otherMaps(map: Document): readonly Document[] {
  const values = Object.values(map);
  const turned = Object.keys(map).map((key, index) => [key, values.at(index - 1)]);
  return [{ ...map, other: "other" }, Object.fromEntries(turned)];
}

function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((inside, step) => Reflect.get(inside as object, step), value);
}

function changed(value: unknown, [step, ...rest]: FieldPath, to: unknown): unknown {
  if (step === undefined) return to;
  const copy: Record<string | number, unknown> = Array.isArray(value)
    ? ([...value] as unknown as Record<number, unknown>)
    : { ...(value as Document) };
  const inside = changed(copy[step], rest, to);
  if (inside === undefined) delete copy[step];
  else copy[step] = inside;
  return copy;
}
