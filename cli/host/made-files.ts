import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { replaceFile } from "../new-file.ts";

const RECORD = "made-by-join.json";
/** Of directories on the way: anybody may go through, nobody but root may write. */
const PASSABLE = 0o755;
const CONFIGURATION = 0o750;
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
      try {
        mkdirSync(one);
        chmodSync(one, one === path ? mode : PASSABLE);
      } catch (cause) {
        throw new MeshError("cli.host", `make the directory ${one}: ${messageOf(cause)}`, {
          cause,
          hint: "run it as root, or give other places with --dir, --state-dir and --run-dir",
        });
      }
      this.#directories.add(one);
      // At once: whatever ends this command here, what is there is known to be its.
      this.#keep();
    }
  }

  /** The configuration's directories, which were made to have a place for the lock. */
  configuration(made: readonly string[]): void {
    for (const one of made) {
      chmodSync(one, one === dirname(this.#path) ? CONFIGURATION : PASSABLE);
      this.#directories.add(one);
    }
    this.#keep();
  }

  /** Remembers a file before it is written: a command that ends in between leaves nothing unknown. */
  writing(path: string, write: () => void): void {
    this.#files.add(path);
    this.#keep();
    try {
      write();
    } catch (error) {
      this.#forget(path);
      throw error;
    }
  }

  /** Removes a file that was made, as if it had never been. Never throws: something else has failed already. */
  takeBack(path: string): void {
    try {
      rmSync(path, { force: true });
      this.#forget(path);
    } catch {
      // It is in the record still, for `leave`.
    }
  }

  /**
   * Removes what was made but directories that anybody uses: the private directories that were made, with all that is in
   * them, then files. In a private directory that was there before, only what is the agent's goes. Returns a line for each.
   */
  removeFiles(privates: readonly PrivateDirectory[]): readonly string[] {
    const lines: string[] = [];
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
    // Last: the configuration says where the rest is, to who has to do this again.
    for (const path of this.#files) {
      if (!existsSync(path)) continue;
      rmSync(path);
      lines.push(`removed ${path}`);
    }
    return lines;
  }

  /** Removes the record, and then the directories that are empty. Returns a line for each that is gone, or that stays. */
  removeDirectories(): readonly string[] {
    const lines: string[] = [];
    rmSync(this.#path, { force: true });
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

  /** Never throws: a full disk, say, has been told already. */
  #forget(path: string): void {
    this.#files.delete(path);
    try {
      this.#keep();
    } catch {
      // A record that names too much is read with care: what is not there is passed over.
    }
  }

  #keep(): void {
    // Before the configuration's directory is made, there is nowhere to keep it.
    if (!existsSync(dirname(this.#path))) return;
    const record: MadeRecord = { files: [...this.#files], directories: [...this.#directories] };
    replaceFile(this.#path, JSON.stringify(record), 0o600);
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
