import * as z from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { type FieldPath, type Finding, warningAt } from "./finding.ts";
import type { Report } from "./schema-rule.ts";

/** What to tell an author about a valid value, or undefined. */
export type Notice = (value: unknown) => string | undefined;

/** Tells warnings about a value as it was written, valid or not; paths are relative to it. */
type Review = (value: unknown, warn: Report) => void;

const NOT_YET = "is accepted but not in force yet";

const reviews = new WeakMap<z.core.$ZodType, Review>();

/** The same schema with a warning for those values about which `notice` has something to say. */
export function withNotice<S extends z.ZodType>(schema: S, notice: Notice): S {
  return withReview(schema, (value, warn) => {
    const message = notice(value);
    if (message !== undefined) warn([], message);
  });
}

/** The same schema with warnings about several fields together. */
export function withReview<S extends z.ZodType>(schema: S, review: Review): S {
  const copy = schema.clone();
  reviews.set(copy, review);
  return copy;
}

/** A field that Istio has and that Lateen does not translate yet. With a schema it is checked and kept all the same. */
export function notYet(): z.ZodOptional<z.ZodUnknown>;
export function notYet<S extends z.ZodType>(schema: S): S;
export function notYet(schema: z.ZodType = z.unknown().optional()): z.ZodType {
  return withNotice(schema, (value) => (value === undefined ? undefined : NOT_YET));
}

/**
 * A field of Istio that Lateen cannot leave out without opening what the author closes or reaching further than the
 * author says, so that the object is refused.
 */
export function refused(reason: string): z.ZodOptional<z.ZodNever> {
  return z.never({ error: `is not supported yet, and leaving it out ${reason}` }).optional();
}

/**
 * Walks what was written along the schema and tells the fields that the schema does not have, and the notices of those
 * that it has. It looks at shapes alone, so it also works on what does not parse.
 */
export function reviewFields(
  schema: z.core.$ZodType,
  input: unknown,
  path: FieldPath = [],
): readonly Finding[] {
  const own: Finding[] = [];
  reviews.get(schema)?.(input, (inside, message) => own.push(warningAt([...path, ...inside], message)));
  return [...own, ...reviewInside(schema, input, path)];
}

function reviewInside(schema: z.core.$ZodType, input: unknown, path: FieldPath): readonly Finding[] {
  // oxlint-disable-next-line no-underscore-dangle -- zod's documented way for code that walks schemas
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
      return reviewFields(def.innerType, input, path);
    case "pipe":
      return reviewFields(def.in, input, path);
    case "array":
      if (!Array.isArray(input)) return [];
      return input.flatMap((item, index) => reviewFields(def.element, item, [...path, index]));
    case "record":
      return entriesOf(input).flatMap(([key, value]) => reviewFields(def.valueType, value, [...path, key]));
    case "object":
      return entriesOf(input).flatMap(([key, value]) => {
        const field = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
        if (field !== undefined) return reviewFields(field, value, [...path, key]);
        if (def.catchall !== undefined) return [];
        return [warningAt([...path, key], `unknown field${didYouMean(key, Object.keys(def.shape))}`)];
      });
    default:
      return [];
  }
}

/** A field of what was written, whatever that is. */
export function writtenField(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** The same where it should be a list: empty when it is none. */
export function writtenList(value: unknown, name: string): readonly unknown[] {
  const list = writtenField(value, name);
  return Array.isArray(list) ? list : [];
}

function entriesOf(input: unknown): readonly [string, unknown][] {
  return typeof input === "object" && input !== null && !Array.isArray(input) ? Object.entries(input) : [];
}
