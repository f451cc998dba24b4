import { createReadStream } from "node:fs";
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
  for (const { name, identity } of (await Promise.all(paths.map(inputsOf))).flat()) {
    if (read.has(identity)) continue;
    read.add(identity);
    files.push({ name, text: await readInput(name, context) });
  }
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

async function inputsOf(path: string): Promise<readonly Input[]> {
  if (path === STANDARD_INPUT) return [{ name: path, identity: path }];
  const found = await look(path);
  if (!found.isDirectory) return [{ name: path, identity: found.identity }];
  const inputs = await listDirectory(path);
  if (inputs.length === 0) throw new MeshError("cli.usage", `${path} has no YAML or JSON file`);
  return inputs;
}

/** The files of a directory that could be ours. Hidden ones are editors'; a pipe would keep us waiting. */
async function listDirectory(path: string): Promise<readonly Input[]> {
  let names: readonly string[];
  try {
    names = await readdir(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const ours = names.filter((name) => !name.startsWith(".") && /\.(ya?ml|json)$/.test(name)).sort();
  const found = await Promise.all(
    ours.map(async (name) => ({ name: join(path, name), ...(await look(join(path, name))) })),
  );
  return found.filter(({ isFile }) => isFile);
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
