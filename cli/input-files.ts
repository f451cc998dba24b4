import { createReadStream, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";
import type { SourceFile } from "../mesh/model/parse-files.ts";
import type { CliContext } from "./context.ts";
import { readText } from "./read-text.ts";

const STANDARD_INPUT = "-";

interface Input {
  readonly name: string;
  /** Two names of one file have the same. */
  readonly identity: string;
}

export interface InputOptions {
  /** Directories inside directories too. */
  readonly recursive: boolean;
}

/** Far more than a mesh has, far fewer than a disk. */
const MOST_FILES = 10_000;

/**
 * Reads what `-f` names: files, directories (their YAML and JSON files in lexical order), `-`. A file that is named
 * several times, by itself, in a directory or through a link, is read once, under its first name.
 */
export async function readInputs(
  paths: readonly string[],
  context: CliContext,
  options: InputOptions,
): Promise<readonly SourceFile[]> {
  const found = new Map<string, string>();
  for (const path of paths) {
    for (const { name, identity } of await inputsOf(path, options)) {
      if (!found.has(identity)) found.set(identity, name);
    }
  }
  const files: SourceFile[] = [];
  for (const name of found.values()) files.push({ name, text: await readInput(name, context) });
  return files;
}

/** Reads one file, or standard input for `-`. Throws `cli.usage` when it cannot be read. */
export async function readInput(path: string, context: CliContext): Promise<string> {
  if (path === STANDARD_INPUT) return await context.readStdin();
  try {
    return await readText(createReadStream(path), path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function inputsOf(path: string, { recursive }: InputOptions): Promise<readonly Input[]> {
  if (path === STANDARD_INPUT) return [{ name: path, identity: path }];
  const found = await look(path);
  if (!found.isDirectory) return [{ name: path, identity: found.identity }];
  const inputs: Input[] = [];
  for await (const input of walk(path, recursive)) {
    if (inputs.push(input) > MOST_FILES)
      throw new MeshError("cli.usage", `${path} has more than ${MOST_FILES} files`);
  }
  if (inputs.length > 0) return inputs;
  const hint = recursive ? {} : { hint: `-R looks into the directories of ${path} too` };
  throw new MeshError("cli.usage", `${path} has no YAML or JSON file`, hint);
}

/**
 * The files of a directory that could be ours. What is hidden is editors' or Git's, a pipe would keep us waiting, and
 * links to directories may lead in circles.
 */
async function* walk(path: string, recursive: boolean): AsyncGenerator<Input> {
  for (const entry of await entriesOf(path)) {
    const name = join(path, entry.name);
    if (entry.isDirectory()) {
      if (recursive) yield* walk(name, recursive);
    } else if (/\.(ya?ml|json)$/.test(entry.name)) {
      const { isFile, identity } = await look(name);
      if (isFile) yield { name, identity };
    }
  }
}

async function entriesOf(path: string): Promise<readonly Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter(({ name }) => !name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw unreadable(path, error);
  }
}

interface Look {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly identity: string;
}

/** What is behind a path, also through links. A pipe (`<(…)` of a shell) has a device and inode, but no real path. */
async function look(path: string): Promise<Look> {
  try {
    const found = await stat(path, { bigint: true });
    return {
      isFile: found.isFile(),
      isDirectory: found.isDirectory(),
      identity: `${found.dev}:${found.ino}`,
    };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  return new MeshError("cli.usage", `read ${path}: ${messageOf(error)}`, { cause: error });
}
