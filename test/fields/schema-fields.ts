import type { z } from "zod";
import type { FieldPath } from "../../mesh/model/finding.ts";
import { KINDS } from "../../mesh/model/kinds.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { reviewFields } from "../../mesh/model/schema-notice.ts";

/** A field of a kind's schema. */
export interface SchemaField {
  /** `Kind.a.b[].c`; `{}` stands for any key of a map. */
  readonly name: string;
  /** The same wherever the part of the schema that has it is used. */
  readonly key: string;
  readonly schema: z.core.$ZodType;
}

/** A field that a document has. */
export interface WrittenField extends SchemaField {
  readonly path: FieldPath;
  /** Keys of the fields that it is in, outermost first, and its own. */
  readonly chain: readonly string[];
}

const shapes = new WeakMap<object, number>();
let shapeCount = 0;

function keyOf(shape: object, name: string): string {
  if (!shapes.has(shape)) shapes.set(shape, shapeCount++);
  return `${shapes.get(shape)}.${name}`;
}

/** The schema of what is written, without what makes it optional or turns it into the model's form. */
export function written(schema: z.core.$ZodType): z.core.$ZodTypes["_zod"]["def"] {
  // oxlint-disable-next-line no-underscore-dangle -- zod's documented way for code that walks schemas
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
      return written(def.innerType);
    case "pipe":
      return written(def.in);
    default:
      return def;
  }
}

export function fieldsOfKind(kind: Kind): readonly SchemaField[] {
  return [...fieldsIn(KINDS[kind].spec, kind)];
}

function* fieldsIn(schema: z.core.$ZodType, name: string): Iterable<SchemaField> {
  const def = written(schema);
  if (def.type === "array") yield* fieldsIn(def.element, `${name}[]`);
  else if (def.type === "record") yield* fieldsIn(def.valueType, `${name}{}`);
  else if (def.type === "object") {
    for (const [field, inner] of Object.entries(def.shape)) {
      const own = { name: `${name}.${field}`, key: keyOf(def.shape, field), schema: inner };
      yield own;
      yield* fieldsIn(inner, own.name);
    }
  }
}

/** The fields of a kind that this spec says, outer ones first. */
export function writtenFields(kind: Kind, spec: unknown): readonly WrittenField[] {
  return [...writtenIn(KINDS[kind].spec, spec, { name: kind, path: [], chain: [] })];
}

function* writtenIn(
  schema: z.core.$ZodType,
  value: unknown,
  at: Pick<WrittenField, "name" | "path" | "chain">,
): Iterable<WrittenField> {
  if (typeof value !== "object" || value === null) return;
  const def = written(schema);
  for (const [field, item] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    const path = [...at.path, field];
    if (def.type === "array") yield* writtenIn(def.element, item, { ...at, name: `${at.name}[]`, path });
    if (def.type === "record") yield* writtenIn(def.valueType, item, { ...at, name: `${at.name}{}`, path });
    if (def.type !== "object" || !Object.hasOwn(def.shape, field)) continue;
    const inner = def.shape[field];
    if (inner === undefined) continue;
    const key = keyOf(def.shape, String(field));
    const own = { name: `${at.name}.${field}`, key, schema: inner, path, chain: [...at.chain, key] };
    yield own;
    yield* writtenIn(inner, item, own);
  }
}

/**
 * Whether its author is told of a field, of all that is in it or of one that it is in, that it is refused or does nothing;
 * a field with one value alone can say nothing.
 */
export function isTold({ name, schema }: SchemaField): boolean {
  const def = written(schema);
  if (def.type === "never" || def.type === "literal") return true;
  const inner = [...fieldsIn(schema, name)];
  if (inner.length > 0 && inner.every(isTold)) return true;
  const [kind = "", ...steps] = name
    .replaceAll("[]", ".0")
    .replaceAll("{}", ".any")
    .split(".")
    .map((step) => (step === "0" ? 0 : step));
  const skeleton = steps.reduceRight<unknown>(
    (inside, step) => (step === 0 ? [inside] : { [step]: inside }),
    { any: "any" },
  );
  return reviewFields(KINDS[kind as Kind].spec, skeleton).some(({ path }) =>
    path.every((step, index) => step === steps[index]),
  );
}
