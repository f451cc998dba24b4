import { type Document, isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode } from "yaml";
import { errorAt, type FieldPath, type Finding } from "./finding.ts";
import {
  DEEPEST_NESTING,
  dangerousKey,
  isDangerousKey,
  MOST_VALUES,
  tooDeep,
  tooManyValues,
} from "./plain-data.ts";

type Node = ParsedNode | null | undefined;

/** A finding that may have a place of its own: of two equal keys the path alone names only the first. */
interface PlacedFinding extends Finding {
  readonly offset?: number;
}

export interface PlainDocument {
  readonly value: unknown;
  readonly findings: readonly PlacedFinding[];
}

/**
 * Turns a YAML document into plain data. Refused: duplicate keys, merge keys, keys that are no scalars, values that
 * JSON does not have, and more aliases, depth or values than any honest document has.
 */
export function toPlainDocument(document: Document.Parsed): PlainDocument {
  const builder = new PlainBuilder();
  const value = builder.build(document.contents, []);
  return { value, findings: builder.findings };
}

/** Offset of the field, or of its closest parent that is written down; undefined when not even the root is. */
export function offsetOf(document: Document.Parsed, path: FieldPath): number | undefined {
  return locate(document, path).offset;
}

/** Offset of the `|` of a block scalar, whose text begins on the next line; undefined for what is written otherwise. */
export function blockTextOffset(document: Document.Parsed, path: FieldPath): number | undefined {
  const { node } = locate(document, path);
  return isScalar(node) && node.type === "BLOCK_LITERAL" ? node.range[0] : undefined;
}

interface Location {
  readonly offset: number | undefined;
  /** Undefined when the path leads to nothing. */
  readonly node: Node;
}

function locate(document: Document.Parsed, path: FieldPath): Location {
  let node: Node = document.contents;
  let offset = node?.range[0];
  for (const part of path) {
    if (isSeq(node) && typeof part === "number") {
      node = node.items[part] as Node;
      offset = node?.range[0] ?? offset;
    } else if (isMap(node)) {
      const pair = (node.items as readonly Pair<ParsedNode, ParsedNode | null>[]).find(
        ({ key }) => keyText(key) === String(part),
      );
      if (pair === undefined) return { offset, node: undefined };
      offset = pair.key.range[0];
      node = pair.value;
    } else return { offset, node: undefined };
  }
  return { offset, node };
}

class PlainBuilder {
  readonly findings: PlacedFinding[] = [];
  readonly #anchors = new Map<string, Node>();
  /** Aliases that are being unfolded: one inside its own anchor would never end. */
  readonly #open = new Set<string>();
  #values = 0;

  build(node: Node, path: FieldPath): unknown {
    this.#values += 1;
    if (this.#values > MOST_VALUES) return this.#refuseOnce(tooManyValues());
    if (path.length > DEEPEST_NESTING) return this.#refuse(tooDeep(path));
    if (isAlias(node)) return this.#unfold(node.source, path);
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node.items, path);
    if (isSeq(node))
      return (node.items as readonly Node[]).map((item, index) => this.build(item, [...path, index]));
    return isScalar(node) ? this.#scalar(node.value, path) : null;
  }

  #map(pairs: readonly Pair<ParsedNode, ParsedNode | null>[], path: FieldPath): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const { key, value } of pairs) {
      const name = keyText(key);
      const inside = [...path, name ?? "?"];
      if (name === undefined) this.#refuse(errorAt(path, "has a key that is not a plain value"));
      else if (name === "<<") this.#refuse(errorAt(inside, "merge keys are not accepted"));
      else if (isDangerousKey(name)) this.#refuse(dangerousKey(inside));
      else if (Object.hasOwn(object, name))
        this.#refuse({ ...errorAt(inside, "is written twice"), offset: key.range[0] });
      else object[name] = this.build(value, inside);
      if (this.#values > MOST_VALUES) break;
    }
    return object;
  }

  #unfold(anchor: string, path: FieldPath): unknown {
    if (this.#open.has(anchor)) return this.#refuse(errorAt(path, `alias *${anchor} contains itself`));
    if (!this.#anchors.has(anchor))
      return this.#refuse(errorAt(path, `alias *${anchor} has no anchor before it`));
    this.#open.add(anchor);
    const value = this.build(this.#anchors.get(anchor), path);
    this.#open.delete(anchor);
    return value;
  }

  #scalar(value: unknown, path: FieldPath): unknown {
    const plain = value === null || typeof value === "string" || typeof value === "boolean";
    if (plain || (typeof value === "number" && Number.isFinite(value))) return value;
    return this.#refuse(errorAt(path, "is not a value that JSON has"));
  }

  #refuse(finding: PlacedFinding): undefined {
    this.findings.push(finding);
    return undefined;
  }

  #refuseOnce(finding: Finding): undefined {
    if (this.#values === MOST_VALUES + 1) this.findings.push(finding);
    return undefined;
  }
}

function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  if (typeof key.value === "string") return key.value;
  const plain = typeof key.value === "number" || typeof key.value === "boolean";
  return plain ? (key.source ?? String(key.value)) : undefined;
}
