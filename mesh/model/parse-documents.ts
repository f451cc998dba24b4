import { errorAt, type FieldPath, type Finding } from "./finding.ts";
import { type ObjectKey, objectKey, type ParsedObject } from "./object.ts";
import { type CheckedObject, checkObject, type ParseObjectOptions, toViolation } from "./parse-object.ts";
import { readPart } from "./partial-object.ts";
import { isFields } from "./plain-data.ts";
import type { LocatedViolation } from "./violation.ts";
import { MOST_DOCUMENTS, readYamlDocuments, tooManyDocuments, type YamlDocument } from "./yaml-documents.ts";

export interface ParseDocumentsOptions extends ParseObjectOptions {
  /** Where the text is from, for the violations. */
  readonly file?: string;
  /** What is to be found in an object beyond its schema. */
  readonly check?: (object: ParsedObject) => readonly Finding[];
  /** Tells what is right of the objects that have errors, too: for looking at them, not for storing. */
  readonly partial?: boolean;
}

/** Where an object is written, and what its text says that the object itself does not keep. */
export interface ObjectPlace {
  /** 1-based line of the field, or of the closest parent that is written down. */
  lineOf(path: FieldPath): number;
  /** `metadata.creationTimestamp` as written: an object that was exported from a server has one. */
  readonly creationTimestamp: string | undefined;
  /** Of an object in part: whether the path is at, in or around something that was left out. */
  isUnread?(path: FieldPath): boolean;
}

export interface ParseDocumentsResult {
  /** The mesh's objects without an error, in the order of the text. */
  readonly objects: readonly ParsedObject[];
  /** Objects that have errors, without the fields that have them. Empty unless asked for. */
  readonly partial: readonly ParsedObject[];
  /** By object. */
  readonly places: ReadonlyMap<ParsedObject, ObjectPlace>;
  readonly violations: readonly LocatedViolation[];
}

/**
 * Reads API objects from YAML (several documents) or JSON, also from lists (`kind: List`, `kind: VirtualServiceList`,
 * or a plain array). All violations are told at once, with their lines. Input may be hostile: size, documents, depth,
 * aliases and values are bounded.
 */
export function parseDocuments(text: string, options: ParseDocumentsOptions): ParseDocumentsResult {
  const reader = new DocumentReader(text, options);
  reader.read();
  const { objects, partial, places, violations } = reader;
  return { objects, partial, places, violations };
}

class DocumentReader {
  readonly objects: ParsedObject[] = [];
  readonly partial: ParsedObject[] = [];
  readonly places = new Map<ParsedObject, ObjectPlace>();
  readonly violations: LocatedViolation[] = [];
  readonly #text: string;
  readonly #options: ParseDocumentsOptions;
  /** Line of each object that was read: the second of the same name is an error. */
  readonly #seen = new Map<ObjectKey, number>();
  /** Objects in lists count like documents. */
  #read = 0;

  constructor(text: string, options: ParseDocumentsOptions) {
    this.#text = text;
    this.#options = options;
  }

  read(): void {
    for (const document of readYamlDocuments(this.#text)) this.#readDocument(document);
  }

  #readDocument(document: YamlDocument): void {
    const { value, index } = document;
    for (const { line, ...finding } of document.findings) this.#tell(finding, { document: index, line });
    if (value === undefined) return;
    const items = listedItems(value);
    if (items === undefined) return this.#readObject(value, document, []);
    for (const [item, object] of items.list.entries()) {
      const prefix = [...items.path, item];
      if (this.#read >= MOST_DOCUMENTS)
        return this.#tell(tooManyDocuments(), { document: index, line: document.lineOf(prefix) });
      this.#readObject(object, document, prefix);
    }
  }

  #readObject(value: unknown, document: YamlDocument, prefix: FieldPath): void {
    this.#read += 1;
    const lineOf = (path: FieldPath): number => document.lineOf([...prefix, ...path]);
    const { object, findings } = this.#check(value);
    const place = { document: document.index, ...identityOf(value, this.#options.defaultNamespace) };
    for (const finding of findings) this.#tell(finding, { ...place, line: lineOf(finding.path) });
    if (object === undefined || findings.some(({ severity }) => severity === "error")) {
      if (this.#options.partial === true) this.#readPart(value, findings, lineOf);
      return;
    }
    const key = objectKey(object.kind, object.metadata.namespace, object.metadata.name);
    const first = this.#seen.get(key);
    if (first !== undefined) {
      const finding = errorAt(
        ["metadata", "name"],
        `${key} is defined a second time, first at line ${first}`,
      );
      this.#tell(finding, { ...place, line: lineOf(finding.path) });
      return;
    }
    this.#seen.set(key, lineOf([]));
    this.objects.push(object);
    this.places.set(object, { lineOf, creationTimestamp: creationTimestampOf(value) });
  }

  #check(value: unknown): CheckedObject {
    const checked = checkObject(value, this.#options);
    if (checked.object === undefined) return checked;
    const more = this.#options.check?.(checked.object) ?? [];
    return { object: checked.object, findings: [...checked.findings, ...more] };
  }

  #readPart(value: unknown, findings: readonly Finding[], lineOf: ObjectPlace["lineOf"]): void {
    const part = readPart(value, findings, (document) => this.#check(document));
    if (part === undefined) return;
    this.partial.push(part.object);
    this.places.set(part.object, {
      lineOf: (path) => lineOf(part.toWritten(path)),
      creationTimestamp: creationTimestampOf(value),
      isUnread: (path) => part.isUnread(path),
    });
  }

  #tell(finding: Finding, place: Place): void {
    const file = this.#options.file === undefined ? {} : { file: this.#options.file };
    this.violations.push({ kind: "", namespace: "", name: "", ...toViolation(finding), ...place, ...file });
  }
}

interface Place {
  readonly document: number;
  readonly line: number;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
}

interface Listed {
  readonly list: readonly unknown[];
  readonly path: readonly string[];
}

/** The objects of a list, in whichever of the forms; undefined for what is an object itself. */
export function listedItems(value: unknown): Listed | undefined {
  if (Array.isArray(value)) return { list: value, path: [] };
  if (!isFields(value) || typeof value["kind"] !== "string" || !value["kind"].endsWith("List"))
    return undefined;
  return Array.isArray(value["items"]) ? { list: value["items"], path: ["items"] } : undefined;
}

function identityOf(
  value: unknown,
  defaultNamespace: string,
): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const fields = isFields(value) ? value : {};
  const metadata = isFields(fields["metadata"]) ? fields["metadata"] : {};
  const textOf = (field: unknown, otherwise: string): string =>
    typeof field === "string" ? field : otherwise;
  return {
    kind: textOf(fields["kind"], ""),
    namespace: textOf(metadata["namespace"], defaultNamespace),
    name: textOf(metadata["name"], ""),
  };
}

function creationTimestampOf(value: unknown): string | undefined {
  const metadata = isFields(value) ? value["metadata"] : undefined;
  const written = isFields(metadata) ? metadata["creationTimestamp"] : undefined;
  return typeof written === "string" ? written : undefined;
}
