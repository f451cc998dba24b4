import type { FieldPath, Finding } from "./finding.ts";
import type { ParsedObject } from "./object.ts";
import type { CheckedObject } from "./parse-object.ts";
import { isFields } from "./plain-data.ts";

/** What is right of an object that has errors. */
export interface PartialObject {
  readonly object: ParsedObject;
  /** The path in the document of a path in the object: list entries that were left out count again. */
  toWritten(path: FieldPath): FieldPath;
  /** True for a path that was left out, and for what is inside or around one: nothing can be said about it. */
  isUnread(path: FieldPath): boolean;
}

/** To leave out a field may break another rule; this often. */
const MOST_ROUNDS = 8;

/** A document without these errors means nothing at all, or another object. */
const IDENTITY: readonly (string | number | undefined)[] = ["apiVersion", "kind"];

/**
 * Leaves out the fields that have errors until the rest is valid. Undefined where an error is of the object as a whole,
 * of its identity, or about what is not there.
 */
export function readPart(
  document: unknown,
  found: readonly Finding[],
  check: (document: unknown) => CheckedObject,
): PartialObject | undefined {
  const leftOut = new LeftOut();
  let [rest, findings] = [document, found];
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const wrong = errorsOf(findings).map(({ path }) => leftOut.toWritten(existing(rest, path)));
    if (wrong.some(isWhole)) return undefined;
    for (const path of wrong) leftOut.add(path);
    rest = leftOut.without(document);
    const checked = check(rest);
    if (checked.object !== undefined && errorsOf(checked.findings).length === 0) {
      return {
        object: checked.object,
        toWritten: (path) => leftOut.toWritten(path),
        isUnread: (path) => leftOut.touches(leftOut.toWritten(path)),
      };
    }
    findings = checked.findings;
  }
  return undefined;
}

/** Paths of a document that are passed over, as its author counts list entries. */
class LeftOut {
  readonly #paths: FieldPath[] = [];
  readonly #keys = new Set<string>();

  add(path: FieldPath): void {
    this.#paths.push(path);
    this.#keys.add(JSON.stringify(path));
  }

  toWritten(path: FieldPath): FieldPath {
    const written: (string | number)[] = [];
    for (const part of path) {
      let index = part;
      if (typeof index === "number") {
        for (let before = 0; before <= index; before += 1) {
          if (this.#has([...written, before])) index += 1;
        }
      }
      written.push(index);
    }
    return written;
  }

  touches(path: FieldPath): boolean {
    return this.#paths.some((one) => startsWith(one, path) || startsWith(path, one));
  }

  without(value: unknown, path: FieldPath = []): unknown {
    const kept = (key: string | number): boolean => !this.#has([...path, key]);
    if (Array.isArray(value)) {
      return value.flatMap((item, index) => (kept(index) ? [this.without(item, [...path, index])] : []));
    }
    if (!isFields(value)) return value;
    const entries = Object.entries(value).filter(([key]) => kept(key));
    return Object.fromEntries(entries.map(([key, field]) => [key, this.without(field, [...path, key])]));
  }

  #has(path: FieldPath): boolean {
    return this.#keys.has(JSON.stringify(path));
  }
}

function errorsOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ severity }) => severity === "error");
}

/** The longest part of a path that the document has: what is required and missing is an error of what it is missing in. */
function existing(document: unknown, path: FieldPath): FieldPath {
  let value = document;
  for (const [depth, part] of path.entries()) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return path.slice(0, depth);
    value = Reflect.get(value, part);
  }
  return path;
}

/** `spec`, `metadata.name` and the like: without it there is no object. */
function isWhole([first, second]: FieldPath): boolean {
  if (IDENTITY.includes(first) || second === undefined) return true;
  return first === "metadata" && (second === "name" || second === "namespace");
}

function startsWith(path: FieldPath, start: FieldPath): boolean {
  return start.every((part, index) => path[index] === part);
}
