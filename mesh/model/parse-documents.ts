import { Composer, type Document, LineCounter, Parser } from "yaml";
import { errorAt, type FieldPath, type Finding } from "./finding.ts";
import { type ObjectKey, objectKey, type ParsedObject } from "./object.ts";
import { checkObject, toViolation } from "./parse-object.ts";
import { isFields } from "./plain-data.ts";
import type { LocatedViolation } from "./violation.ts";
import { offsetOf, toPlainDocument } from "./yaml-tree.ts";

export interface ParseDocumentsOptions {
  /** Namespace of objects that name none. */
  readonly defaultNamespace: string;
  /** Where the text is from, for the violations. */
  readonly file?: string;
}

/** Where an object is written, and what its text says that the object itself does not keep. */
export interface ObjectPlace {
  /** 1-based line of the field, or of the closest parent that is written down. */
  lineOf(path: FieldPath): number;
  /** `metadata.creationTimestamp` as written: an object that was exported from a server has one. */
  readonly creationTimestamp: string | undefined;
}

export interface ParseDocumentsResult {
  /** The objects without an error, in the order of the text. */
  readonly objects: readonly ParsedObject[];
  /** By object. */
  readonly places: ReadonlyMap<ParsedObject, ObjectPlace>;
  readonly violations: readonly LocatedViolation[];
}

export const LARGEST_INPUT_BYTES: number = 1024 * 1024;
/** YAML documents, and objects in lists. */
const MOST_DOCUMENTS = 1000;
/** A file that is no YAML at all has an error at each character. */
const MOST_SYNTAX_ERRORS = 10;

/**
 * Reads API objects from YAML (several documents) or JSON, also from lists (`kind: List`, `kind: VirtualServiceList`,
 * or a plain array). All violations are told at once, with their lines. Input may be hostile: size, documents, depth,
 * aliases and values are bounded.
 */
export function parseDocuments(text: string, options: ParseDocumentsOptions): ParseDocumentsResult {
  const reader = new DocumentReader(text, options);
  reader.read();
  return { objects: reader.objects, places: reader.places, violations: reader.violations };
}

class DocumentReader {
  readonly objects: ParsedObject[] = [];
  readonly places = new Map<ParsedObject, ObjectPlace>();
  readonly violations: LocatedViolation[] = [];
  readonly #text: string;
  readonly #options: ParseDocumentsOptions;
  readonly #lines = new LineCounter();
  /** Line of each object that was read: the second of the same name is an error. */
  readonly #seen = new Map<ObjectKey, number>();
  #read = 0;

  constructor(text: string, options: ParseDocumentsOptions) {
    this.#text = text;
    this.#options = options;
  }

  read(): void {
    if (Buffer.byteLength(this.#text) > LARGEST_INPUT_BYTES) {
      this.#tell(errorAt([], `is larger than ${LARGEST_INPUT_BYTES / 1024} KiB`), { document: 0, line: 0 });
      return;
    }
    const tokens = new Parser(this.#lines.addNewLine).parse(this.#text);
    // Duplicate keys are looked for in yaml-tree.ts: the library's own check takes the square of a map's size.
    const composer = new Composer({ uniqueKeys: false, logLevel: "silent", prettyErrors: false });
    let index = 0;
    for (const document of composer.compose(tokens)) {
      if (index >= MOST_DOCUMENTS) {
        this.#tell(tooManyDocuments(), { document: index, line: this.#lineAt(document.range[0]) });
        return;
      }
      this.#readDocument(document, index);
      index += 1;
    }
  }

  #readDocument(document: Document.Parsed, index: number): void {
    const syntax = [...document.errors, ...document.warnings];
    for (const { message, pos } of syntax.slice(0, MOST_SYNTAX_ERRORS)) {
      const finding = errorAt([], `is not valid YAML: ${lowerFirst(message)}`);
      this.#tell(finding, { document: index, line: this.#lineAt(pos[0]) });
    }
    if (syntax.length > 0 || document.contents === null) return;
    const { value, findings } = toPlainDocument(document);
    for (const finding of findings) {
      this.#tell(finding, {
        document: index,
        line: this.#lineAt(finding.offset ?? offsetOf(document, finding.path)),
      });
    }
    if (findings.length > 0 || value === null) return;
    const items = listedItems(value);
    if (items === undefined) return this.#readObject(value, document, index, []);
    for (const [item, object] of items.list.entries()) {
      const prefix = [...items.path, item];
      if (this.#read >= MOST_DOCUMENTS) {
        const line = this.#lineAt(offsetOf(document, prefix));
        return this.#tell(tooManyDocuments(), { document: index, line });
      }
      this.#readObject(object, document, index, prefix);
    }
  }

  #readObject(
    value: unknown,
    document: Document.Parsed,
    index: number,
    prefix: readonly (string | number)[],
  ): void {
    this.#read += 1;
    const lineOf = (path: Finding["path"]): number => this.#lineAt(offsetOf(document, [...prefix, ...path]));
    const { object, findings } = checkObject(value, this.#options);
    const place = { document: index, ...identityOf(value, this.#options.defaultNamespace) };
    for (const finding of findings) this.#tell(finding, { ...place, line: lineOf(finding.path) });
    if (object === undefined || findings.some(({ severity }) => severity === "error")) return;
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

  #tell(finding: Finding, place: Place): void {
    const file = this.#options.file === undefined ? {} : { file: this.#options.file };
    this.violations.push({ kind: "", namespace: "", name: "", ...toViolation(finding), ...place, ...file });
  }

  #lineAt(offset: number | undefined): number {
    return offset === undefined ? 0 : this.#lines.linePos(offset).line;
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

function listedItems(value: unknown): Listed | undefined {
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

function tooManyDocuments(): Finding {
  return errorAt([], `has more than ${MOST_DOCUMENTS} documents`);
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
