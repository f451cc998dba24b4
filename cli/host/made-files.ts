import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";

const RECORD = "made-by-join.json";
/** Of directories on the way: anybody may go through, nobody but root may write. */
const PASSABLE = 0o755;
const recordSchema = z.object({ files: z.array(z.string()), directories: z.array(z.string()) });
type MadeRecord = z.output<typeof recordSchema>;

/** A directory that is the agent's own, and what in it is the agent's where others had made it. */
export interface PrivateDirectory {
  readonly path: string;
  readonly isAgents: (name: string) => boolean;
}

/**
 * What `join` has made on a host, so that `leave` can take away that and nothing else. Kept beside the configuration, which
 * only root writes: what it names is removed as root.
 */
export class MadeFiles {
  readonly #path: string;
  readonly #files: Set<string>;
  readonly #directories: Set<string>;

  private constructor(path: string, { files, directories }: MadeRecord) {
    this.#path = path;
    this.#files = new Set(files);
    this.#directories = new Set(directories);
  }

  /** As an earlier `join` left it in a configuration directory; empty when there is none. */
  static of(configDir: string): MadeFiles {
    const path = join(configDir, RECORD);
    return new MadeFiles(path, readRecord(path));
  }

  /**
   * Makes a directory with those above it, and remembers the ones that were not there. The mode is of this one: who may
   * enter it must get through those above.
   */
  directory(path: string, mode: number): void {
    const missing: string[] = [];
    for (let at = path; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.push(at);
    for (const one of missing.toReversed()) {
      mkdirSync(one);
      chmodSync(one, one === path ? mode : PASSABLE);
      this.#directories.add(one);
    }
    this.#keep();
  }

  file(path: string): void {
    this.#files.add(path);
    this.#keep();
  }

  /**
   * Removes what was made: files, then the private directories that were made, with all that is in them, then directories
   * that are empty. In a private directory that was there before, only what is the agent's goes. Returns a line for each
   * thing that is gone, and for each that stays because others have put something there.
   */
  remove(privates: readonly PrivateDirectory[]): readonly string[] {
    const lines: string[] = [];
    for (const path of this.#files) {
      if (!existsSync(path)) continue;
      rmSync(path);
      lines.push(`removed ${path}`);
    }
    rmSync(this.#path, { force: true });
    for (const { path, isAgents } of privates) {
      if (!existsSync(path)) continue;
      if (this.#directories.has(path)) {
        rmSync(path, { recursive: true });
        lines.push(`removed ${path}`);
        continue;
      }
      const own = readdirSync(path).filter(isAgents);
      for (const name of own) rmSync(join(path, name), { recursive: true });
      if (own.length > 0) lines.push(`removed ${own.join(", ")} from ${path}, which was there before`);
    }
    const deepestFirst = [...this.#directories].toSorted((a, b) => b.length - a.length);
    for (const path of deepestFirst) {
      if (!existsSync(path)) continue;
      if (readdirSync(path).length > 0) lines.push(`kept ${path}: there is something else in it`);
      else {
        rmdirSync(path);
        lines.push(`removed ${path}`);
      }
    }
    return lines;
  }

  #keep(): void {
    // Before the configuration's directory is made, there is nowhere to keep it.
    if (!existsSync(dirname(this.#path))) return;
    const record: MadeRecord = { files: [...this.#files], directories: [...this.#directories] };
    try {
      writeFileSync(this.#path, JSON.stringify(record), { mode: 0o600 });
    } catch (cause) {
      throw new MeshError("cli.host", `write ${this.#path}: ${messageOf(cause)}`, {
        cause,
        hint: "run it as root, or give another directory with --dir",
      });
    }
  }
}

function readRecord(path: string): MadeRecord {
  if (!existsSync(path)) return { files: [], directories: [] };
  try {
    return recordSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new MeshError("cli.host", `read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "it says what join has made: remove these things by hand, then this file",
    });
  }
}
