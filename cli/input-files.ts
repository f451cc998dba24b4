import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { MeshError, messageOf } from "../mesh/errors.ts";
import type { SourceFile } from "../mesh/model/parse-files.ts";
import { LARGEST_INPUT_BYTES } from "../mesh/model/yaml-documents.ts";
import type { CliContext } from "./context.ts";

const STANDARD_INPUT = "-";

/**
 * Reads what `-f` names: files, directories (their YAML and JSON files in lexical order), `-`. A file that is named
 * several times, by itself, in a directory or through a link, is read once, under its first name.
 */
export async function readInputs(
  paths: readonly string[],
  context: CliContext,
): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = [];
  const read = new Set<string>();
  for (const name of (await Promise.all(paths.map(filesOf))).flat()) {
    const identity = await identityOf(name);
    if (read.has(identity)) continue;
    read.add(identity);
    files.push({ name, text: name === STANDARD_INPUT ? await context.readStdin() : await readText(name) });
  }
  return files;
}

async function filesOf(path: string): Promise<readonly string[]> {
  if (path === STANDARD_INPUT) return [path];
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name));
    if (names.length === 0) throw new MeshError("cli.usage", `${path} has no YAML or JSON file`);
    return names.map(({ name }) => join(path, name)).sort();
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Device and inode: a pipe (`<(…)` of a shell) has no real path. */
async function identityOf(path: string): Promise<string> {
  if (path === STANDARD_INPUT) return path;
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** No more than it takes to see that it is too large: a path may lead to a device without an end. */
async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await buffer(createReadStream(path, { end: LARGEST_INPUT_BYTES }));
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    // Cut off in the middle of a letter, a text that is too large is still that and nothing else.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch (error) {
    throw new MeshError("object.invalid", `read ${path}: it is not UTF-8 text`, {
      cause: error,
      hint: `iconv -t UTF-8 ${path} converts it`,
    });
  }
}

function unreadable(path: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  return new MeshError("cli.usage", `read ${path}: ${messageOf(error)}`, { cause: error });
}
