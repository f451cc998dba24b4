import { type Document, parseDocument } from "yaml";
import * as z from "zod";
import { MeshError } from "../errors.ts";
import { closest } from "../spelling/closest.ts";

/** Where a program's configuration comes from; later ones win: file, environment, flags. */
export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `LATEEN_SERVER`: the key `agents.port` is then read from `LATEEN_SERVER_AGENTS_PORT`. */
  readonly prefix: string;
  /** Values given on the command line, in the shape of the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** What is so unless any of the others says it, where that differs from the schema's defaults. */
  readonly defaults?: Readonly<Record<string, unknown>>;
}

/**
 * Parses a program's configuration once, with all violations reported together. Unknown keys are errors: a misspelt
 * key of a daemon must not be ignored. Throws `config.invalid`.
 */
export function loadConfig<T>(
  schema: z.ZodType<T> & { readonly shape: z.ZodRawShape },
  sources: ConfigSources,
): T {
  const merged = merge(
    merge(
      merge(sources.defaults ?? {}, readFile(sources.file)),
      fromEnvironment(schema.shape, sources.prefix, sources.environment),
    ),
    sources.flags,
  );
  const result = schema.safeParse(merged);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => describe(issue, schema.shape));
  throw new MeshError("config.invalid", `read the configuration: ${lines.join("; ")}`, {
    hint: `mend ${sources.file?.name ?? `the ${sources.prefix}_* environment or the flags`} and start again`,
  });
}

type Tree = Readonly<Record<string, unknown>>;

function readFile(file: ConfigSources["file"]): Tree {
  if (file === undefined) return {};
  const document = parseDocument(file.text, { merge: false, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new MeshError("config.invalid", `read ${file.name}: ${problem.message.split("\n", 1)[0]}`);
  }
  const content = toValues(document, file.name);
  if (!isTree(content))
    throw new MeshError("config.invalid", `read ${file.name}: the top level must be a mapping`);
  return content;
}

function toValues(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 }) ?? {};
  } catch (cause) {
    throw new MeshError("config.invalid", `read ${name}: its aliases stand for more than a file can hold`, {
      cause,
      hint: "write out what the aliases stand for",
    });
  }
}

/** Lists are comma-separated in the environment. */
function fromEnvironment(
  shape: z.ZodRawShape,
  prefix: string,
  environment: ConfigSources["environment"],
): Tree {
  const found: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(shape)) {
    const name = `${prefix}_${key.replaceAll(/([A-Z])/g, "_$1").toUpperCase()}`;
    const inner = unwrap(field);
    if (inner instanceof z.ZodObject) {
      const nested = fromEnvironment(inner.shape, name, environment);
      if (Object.keys(nested).length > 0) found[key] = nested;
      continue;
    }
    const text = environment[name];
    if (text === undefined || text === "") continue;
    found[key] =
      inner instanceof z.ZodArray ? text.split(",").map((part) => part.trim()) : readScalar(inner, text);
  }
  return found;
}

function readScalar(field: unknown, text: string): unknown {
  if (field instanceof z.ZodNumber && text.trim() !== "" && Number.isFinite(Number(text)))
    return Number(text);
  if (field instanceof z.ZodBoolean && /^(true|false)$/.test(text)) return text === "true";
  return text;
}

function unwrap(field: unknown): unknown {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault || field instanceof z.ZodPrefault) {
    return unwrap(field.def.innerType);
  }
  return field instanceof z.ZodReadonly ? unwrap(field.def.innerType) : field;
}

function merge(base: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = merged[key];
    merged[key] = isTree(value) && isTree(below) ? merge(below, value) : value;
  }
  return merged;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(issue: z.core.$ZodIssue, shape: z.ZodRawShape): readonly string[] {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") return [`${path.join(".") || "(top level)"}: ${issue.message}`];
  const known = keysAt(shape, path);
  return issue.keys.map((key) => {
    const near = closest(key, known);
    return `${[...path, key].join(".")}: there is no such key${near === undefined ? "" : `, did you mean ${near}?`}`;
  });
}

function keysAt(shape: z.ZodRawShape, path: readonly string[]): readonly string[] {
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(shape);
  const inner = unwrap(shape[first]);
  return inner instanceof z.ZodObject ? keysAt(inner.shape, rest) : [];
}
