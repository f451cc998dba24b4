import { errorAt, type FieldPath, type Finding } from "./finding.ts";

/** No object of ours is even half as deep. */
export const DEEPEST_NESTING = 40;
/** Values in one document, aliases unfolded. */
export const MOST_VALUES = 200_000;

/** Keys that reach into an object's prototype wherever someone copies fields without care. */
const DANGEROUS_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(input: unknown): input is Fields {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

export function isDangerousKey(key: string): boolean {
  return DANGEROUS_KEYS.has(key);
}

export function dangerousKey(path: FieldPath): Finding {
  return errorAt(path, "is a key that is not accepted");
}

export function tooDeep(path: FieldPath): Finding {
  return errorAt(path, `is nested more than ${DEEPEST_NESTING} levels deep`);
}

export function tooManyValues(): Finding {
  return errorAt([], `has more than ${MOST_VALUES} values`);
}

/** The first reason for which a value from outside is no plain, bounded data; undefined when it may be parsed. */
export function plainDataProblem(input: unknown): Finding | undefined {
  let values = 0;
  const inspect = (value: unknown, path: FieldPath): Finding | undefined => {
    values += 1;
    if (values > MOST_VALUES) return tooManyValues();
    if (path.length > DEEPEST_NESTING) return tooDeep(path);
    if (typeof value !== "object" || value === null) return scalarProblem(value, path);
    const entries: Iterable<[string | number, unknown]> = Array.isArray(value)
      ? value.entries()
      : Object.entries(value);
    for (const [key, child] of entries) {
      const inside = [...path, key];
      if (typeof key === "string" && isDangerousKey(key)) return dangerousKey(inside);
      const problem = inspect(child, inside);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
  return inspect(input, []);
}

function scalarProblem(value: unknown, path: FieldPath): Finding | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return errorAt(path, "must be a finite number");
  const plain = value === null || ["string", "number", "boolean", "undefined"].includes(typeof value);
  return plain ? undefined : errorAt(path, "is not data that an object can have");
}
