import { Composer, type CST, type Document, Lexer, LineCounter, Parser } from "yaml";
import { errorAt, type FieldPath, type Finding } from "./finding.ts";
import { tooDeep } from "./plain-data.ts";
import { blockTextOffset, offsetOf, toPlainDocument } from "./yaml-tree.ts";

export const LARGEST_INPUT_BYTES: number = 1024 * 1024;
export const MOST_DOCUMENTS = 1000;
/** Levels of nesting that are open at once; far above what is accepted, far below what costs time. */
const DEEPEST_PARSE = 1000;
/** A file that is no YAML at all has an error at each character. */
const MOST_SYNTAX_ERRORS = 10;

export interface LocatedFinding extends Finding {
  /** 1-based; 0 when unknown. */
  readonly line: number;
}

/** One document of a YAML text. */
export interface YamlDocument {
  /** From 0. */
  readonly index: number;
  /** Plain data; undefined when there are findings, or nothing but comments. */
  readonly value: unknown;
  /** Why it cannot be read. */
  readonly findings: readonly LocatedFinding[];
  /** 1-based line of the field, or of the closest parent that is written down. */
  lineOf(path: FieldPath): number;
  /** 1-based line at which the text of a block scalar (`|`) begins; undefined for what is written otherwise. */
  textLineOf(path: FieldPath): number | undefined;
}

/** Reads a YAML (or JSON) text document by document. Input may be hostile: size, documents and values are bounded. */
export function* readYamlDocuments(text: string): Generator<YamlDocument> {
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined): number =>
    offset === undefined ? 0 : lines.linePos(offset).line;
  if (Buffer.byteLength(text) > LARGEST_INPUT_BYTES) {
    yield unreadable(0, { ...errorAt([], `is larger than ${LARGEST_INPUT_BYTES / 1024} KiB`), line: 0 });
    return;
  }
  const tokens = new BoundedTokens(text, lines);
  // Duplicate keys are looked for in yaml-tree.ts: the library's own check takes the square of a map's size.
  const composer = new Composer({ uniqueKeys: false, logLevel: "silent", prettyErrors: false });
  let index = 0;
  for (const document of composer.compose(tokens.read())) {
    if (index >= MOST_DOCUMENTS) {
      yield unreadable(index, { ...tooManyDocuments(), line: lineAt(document.range[0]) });
      return;
    }
    yield readDocument(document, index, lineAt);
    index += 1;
  }
  if (tokens.tooDeepAt !== undefined)
    yield unreadable(index, { ...tooDeep([]), line: lineAt(tokens.tooDeepAt) });
}

/** The tokens of a text, up to where it is nested so deep that reading on takes the square of the depth. */
class BoundedTokens {
  /** Offset of the place at which reading was given up. */
  tooDeepAt: number | undefined;
  readonly #text: string;
  readonly #lines: LineCounter;

  constructor(text: string, lines: LineCounter) {
    this.#text = text;
    this.#lines = lines;
  }

  *read(): Generator<CST.Token> {
    const parser = new Parser(this.#lines.addNewLine);
    this.#lines.addNewLine(0);
    for (const lexeme of new Lexer().lex(this.#text)) {
      yield* parser.next(lexeme);
      if (parser.stack.length > DEEPEST_PARSE) {
        this.tooDeepAt = parser.offset;
        return;
      }
    }
    yield* parser.end();
  }
}

export function tooManyDocuments(): Finding {
  return errorAt([], `has more than ${MOST_DOCUMENTS} documents`);
}

function readDocument(
  document: Document.Parsed,
  index: number,
  lineAt: (offset: number | undefined) => number,
): YamlDocument {
  const syntax = [...document.errors, ...document.warnings];
  const plain =
    syntax.length > 0 || document.contents === null
      ? { value: null, findings: [] }
      : toPlainDocument(document);
  const findings = [
    ...syntax.slice(0, MOST_SYNTAX_ERRORS).map(({ message, pos }) => ({
      ...errorAt([], `is not valid YAML: ${lowerFirst(withoutSource(message))}`),
      line: lineAt(pos[0]),
    })),
    ...plain.findings.map(({ offset, ...finding }) => ({
      ...finding,
      line: lineAt(offset ?? offsetOf(document, finding.path)),
    })),
  ];
  return {
    index,
    value: findings.length > 0 ? undefined : (plain.value ?? undefined),
    findings,
    lineOf: (path) => lineAt(offsetOf(document, path)),
    textLineOf: (path) => {
      const offset = blockTextOffset(document, path);
      return offset === undefined ? undefined : lineAt(offset) + 1;
    },
  };
}

function unreadable(index: number, finding: LocatedFinding): YamlDocument {
  return { index, value: undefined, findings: [finding], lineOf: () => 0, textLineOf: () => undefined };
}

/** The library quotes what it stumbles over, and that may be a line of a private key that is not indented. */
function withoutSource(message: string): string {
  return message.replace(/: ".*"$/s, "");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
