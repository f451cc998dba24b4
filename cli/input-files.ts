import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";
import type { SourceFile } from "../mesh/model/parse-files.ts";
import type { CliContext } from "./context.ts";

/** Reads what `-f` names: files, directories (their YAML and JSON files in lexical order), `-`. */
export async function readInputs(
  paths: readonly string[],
  context: CliContext,
): Promise<readonly SourceFile[]> {
  const files = await Promise.all(paths.map((path) => readInput(path, context)));
  return files.flat();
}

async function readInput(path: string, context: CliContext): Promise<readonly SourceFile[]> {
  if (path === "-") return [{ name: "-", text: await context.readStdin() }];
  try {
    if (!(await stat(path)).isDirectory()) return [{ name: path, text: await readFile(path, "utf8") }];
    const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
    if (names.length === 0) throw new MeshError("cli.usage", `${path} has no YAML or JSON file`);
    return await Promise.all(
      names.map(async (name) => ({ name: join(path, name), text: await readFile(join(path, name), "utf8") })),
    );
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError("cli.usage", `read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
