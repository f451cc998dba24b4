import { type FSWatcher, watch as watchPath } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MeshError } from "../../../mesh/errors.ts";

/** Larger files are refused: nobody writes that many services of one host. */
const MAX_FILE_BYTES = 4 << 20;

export interface ServiceFiles {
  /** In the order of their names. */
  readonly files: readonly string[];
  /** Of another kind, and yet meant to be read. */
  readonly unreadable: readonly string[];
}

/** The files that a path means: itself, or the YAML and JSON files of a directory. Throws when it is not there. */
export async function filesAt(path: string): Promise<ServiceFiles> {
  if (!(await stat(path)).isDirectory()) return { files: [path], unreadable: [] };
  const names = (await readdir(path)).filter((name) => !name.startsWith(".")).toSorted();
  const ending = (pattern: RegExp): readonly string[] =>
    names.filter((name) => pattern.test(name)).map((name) => join(path, name));
  return { files: ending(/\.(ya?ml|json)$/), unreadable: ending(/\.hcl$/) };
}

export async function readBounded(path: string): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  if (size > MAX_FILE_BYTES) throw new MeshError("agent.discovery", `is longer than ${MAX_FILE_BYTES} bytes`);
  return await file.readFile("utf8");
}

/** Its directory is watched too: a file that is replaced by a rename is another file. */
export function watchersFor(path: string, onChange: () => void): readonly FSWatcher[] {
  const watchers: FSWatcher[] = [];
  for (const place of [path, dirname(path)]) {
    try {
      const watcher = watchPath(place, { persistent: false }, (_, name) => {
        if (place === path || name === null || name === basename(path)) onChange();
      });
      // One that cannot be watched any more is read again in time.
      watcher.on("error", () => undefined);
      watchers.push(watcher);
    } catch {
      // Not there, or no watches left: it is read again in time.
    }
  }
  return watchers;
}
