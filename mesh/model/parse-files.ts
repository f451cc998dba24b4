import type { FieldPath } from "./finding.ts";
import { type ObjectKey, objectKey, type ParsedObject } from "./object.ts";
import { type ObjectPlace, type ParseDocumentsResult, parseDocuments } from "./parse-documents.ts";
import type { LocatedViolation } from "./violation.ts";

/** A file that has been read. */
export interface SourceFile {
  /** As the user named it; `-` for standard input. */
  readonly name: string;
  readonly text: string;
}

/** An object and the file that it is in. */
export interface FiledObject {
  readonly object: ParsedObject;
  readonly file: string;
  readonly place: ObjectPlace;
}

export interface ParsedFiles {
  readonly objects: readonly FiledObject[];
  /** What is right of objects that have errors; empty unless asked for. */
  readonly partial: readonly FiledObject[];
  readonly violations: readonly LocatedViolation[];
}

interface ParseFilesOptions {
  /** Namespace of objects that name none. */
  readonly defaultNamespace: string;
  /** As `parseDocuments` has it. */
  readonly partial?: boolean;
}

/** `parseDocuments`, or what stands in for it. */
type Parse = (
  text: string,
  options: ParseFilesOptions & { readonly file: string },
) => Pick<ParseDocumentsResult, "objects" | "violations"> &
  Partial<Pick<ParseDocumentsResult, "places" | "partial">>;

const IDENTITY: FieldPath = ["metadata", "name"];

/**
 * Reads the objects of several files, each file by itself, so that lines are its own and a mistake in one does not reach
 * into the next. An object that two files have is an error that names both.
 */
export function parseFiles(
  files: readonly SourceFile[],
  options: ParseFilesOptions,
  parse: Parse = parseDocuments,
): ParsedFiles {
  const objects: FiledObject[] = [];
  const partial: FiledObject[] = [];
  const violations: LocatedViolation[] = [];
  const seen = new Map<ObjectKey, FiledObject>();
  for (const { name: file, text } of files) {
    const parsed = parse(text, { ...options, file });
    violations.push(...parsed.violations.map((one) => ({ ...one, file })));
    const placeOf = (object: ParsedObject): ObjectPlace => parsed.places?.get(object) ?? UNKNOWN_PLACE;
    partial.push(...(parsed.partial ?? []).map((object) => ({ object, file, place: placeOf(object) })));
    for (const object of parsed.objects) {
      const place = placeOf(object);
      const key = keyOf(object);
      const first = seen.get(key);
      if (first === undefined) {
        seen.set(key, { object, file, place });
        objects.push({ object, file, place });
      } else {
        violations.push(definedTwice(object, file, place, first));
      }
    }
  }
  const known = new Set(seen.keys());
  return {
    objects,
    partial: partial.filter(({ object }) => !known.has(keyOf(object)) && known.add(keyOf(object))),
    violations,
  };
}

function keyOf({ kind, metadata }: ParsedObject): ObjectKey {
  return objectKey(kind, metadata.namespace, metadata.name);
}

const UNKNOWN_PLACE: ObjectPlace = { lineOf: () => 0, creationTimestamp: undefined };

function definedTwice(
  { kind, metadata }: ParsedObject,
  file: string,
  place: ObjectPlace,
  first: FiledObject,
): LocatedViolation {
  const { namespace, name } = metadata;
  return {
    file,
    document: 0,
    kind,
    namespace,
    name,
    line: place.lineOf(IDENTITY),
    path: "metadata.name",
    message: `${kind} ${namespace}/${name} is defined a second time, first at ${first.file}:${first.place.lineOf(IDENTITY)}`,
    severity: "error",
  };
}
