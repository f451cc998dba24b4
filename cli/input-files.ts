import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";
import type { CliContext } from "./context.ts";

export interface InputFile {
  /** As the user named it; `-` for standard input. */
  readonly name: string;
  readonly text: string;
}

/** Many files as one text, and the way back from its lines to theirs. */
export interface JoinedFiles {
  readonly text: string;
  /** 1-based line of the whole → file and line in it; line 0 (unknown) has no place. */
  locate(line: number): { readonly file: string; readonly line: number } | undefined;
}

/** Reads what `-f` names: files, directories (their YAML and JSON files in lexical order), `-`. */
export async function readInputs(
  paths: readonly string[],
  context: CliContext,
): Promise<readonly InputFile[]> {
  const files = await Promise.all(paths.map((path) => readInput(path, context)));
  return files.flat();
}

/** One YAML stream: it is applied as a whole or not at all, however many files it came from. */
export function joinFiles(files: readonly InputFile[]): JoinedFiles {
  const starts: number[] = [];
  let text = "";
  let line = 1;
  for (const file of files) {
    if (starts.length > 0) {
      text += "---\n";
      line++;
    }
    starts.push(line);
    const body = file.text.endsWith("\n") ? file.text : `${file.text}\n`;
    text += body;
    line += body.split("\n").length - 1;
  }
  return {
    text,
    locate(wanted) {
      const index = starts.findLastIndex((start) => start <= wanted);
      const file = files[index];
      return file === undefined ? undefined : { file: file.name, line: wanted - (starts[index] ?? 1) + 1 };
    },
  };
}

async function readInput(path: string, context: CliContext): Promise<readonly InputFile[]> {
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
