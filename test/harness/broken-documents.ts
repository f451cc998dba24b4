import assert from "node:assert/strict";
import * as z from "zod";
import type { FieldPath } from "../../mesh/model/finding.ts";
import { isKind, KINDS } from "../../mesh/model/kinds.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { VALID_OBJECTS } from "./valid-objects.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A change that no document of the kind survives, whatever its other fields are. */
export interface Break {
  readonly document: Fields;
  readonly path: FieldPath;
  readonly value: unknown;
}

/** What certainly is no value of a schema's type; undefined takes the field out. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  string: [7, true, null, [], {}],
  number: ["7", true, null, [], {}, -1e300],
  boolean: ["true", 1, null, [], {}],
  enum: ["NO_SUCH_NAME", 1, true, null, [], {}],
  object: ["text", 1, true, null, []],
  record: ["text", 1, true, null, []],
  array: ["text", 1, true, null, { a: 1 }],
};

/** Every break of a document, found by walking it along its schema. */
function breaksOf(document: Fields): readonly Break[] {
  const { kind } = document;
  assert.ok(typeof kind === "string" && isKind(kind));
  const definition = KINDS[kind];
  const spec = breaksIn(definition.spec, definition.bare === true ? document : document["spec"]);
  const prefix = definition.bare === true ? [] : ["spec"];
  const fixed: readonly (readonly [FieldPath, unknown])[] = [
    [["apiVersion"], "networking.istio.io/v9"],
    [["apiVersion"], undefined],
    [["kind"], "NoSuchKind"],
    [["metadata"], undefined],
    [["metadata", "name"], "No Name"],
    [["metadata", "name"], undefined],
    [["metadata", "namespace"], "a/b"],
    [["metadata", "labels"], []],
  ];
  return [
    ...fixed.map(([path, value]) => ({ document, path, value })),
    ...spec.map(({ path, value }) => ({ document, path: [...prefix, ...path], value })),
  ];
}

interface Change {
  readonly path: FieldPath;
  readonly value: unknown;
}

function breaksIn(schema: z.core.$ZodType, value: unknown, path: FieldPath = []): readonly Change[] {
  // oxlint-disable-next-line no-underscore-dangle -- zod's documented way for code that walks schemas
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const own = path.length === 0 ? [] : (WRONG[def.type] ?? []).map((wrong) => ({ path, value: wrong }));
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
      return breaksIn(def.innerType, value, path);
    case "pipe":
      return breaksIn(def.in, value, path);
    case "array":
      assert.ok(Array.isArray(value));
      return [
        ...own,
        ...(value.length > 0 ? [{ path: [...path, 0], value: null }] : []),
        ...value.flatMap((item, index) => breaksIn(def.element, item, [...path, index])),
      ];
    case "record":
      return [
        ...own,
        ...entries(value).flatMap(([key, item]) => breaksIn(def.valueType, item, [...path, key])),
      ];
    case "object":
      return [
        ...own,
        ...entries(value).flatMap(([key, item]) => {
          const field = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
          if (field === undefined) return [];
          return [...missing(field, [...path, key]), ...breaksIn(field, item, [...path, key])];
        }),
      ];
    default:
      return own;
  }
}

/** A field that must be there, taken out. */
function missing(field: z.core.$ZodType, path: FieldPath): readonly Change[] {
  return z.safeParse(field, undefined).success ? [] : [{ path, value: undefined }];
}

function entries(value: unknown): readonly [string, unknown][] {
  assert.ok(typeof value === "object" && value !== null);
  return Object.entries(value);
}

/** The value with another at a path; undefined takes it out. */
function changed(value: unknown, [key, ...rest]: FieldPath, to: unknown): unknown {
  if (key === undefined) return to;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === key ? changed(item, rest, to) : item));
  const fields = { ...(value as Fields) };
  const inside = changed(fields[key], rest, to);
  if (inside === undefined) delete fields[key];
  else fields[key] = inside;
  return fields;
}

/** The document as it is broken. */
export function broken({ document, path, value }: Break): unknown {
  return changed(document, path, value);
}

/** All that documents of every kind can be broken by; what makes one another's is passed over, and refused nowhere. */
export const BREAKS: readonly Break[] = VALID_OBJECTS.flatMap(breaksOf).filter((one) => {
  const { kind } = one.document;
  return typeof kind !== "string" || !isKind(kind) || !isAnothers(kind, broken(one));
});

function isAnothers(kind: Kind, document: unknown): boolean {
  return KINDS[kind].notOurs?.(document as Fields) !== undefined;
}
