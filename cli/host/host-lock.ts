import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";

const LOCK = ".lock";
const LOOK_MS = 50;
/** Another command that starts a program is at it for longer: then it is better said than waited for. */
const PATIENCE_MS = 10_000;
/** Result code of SQLite: somebody else has the lock. */
const SQLITE_BUSY = 5;

/** The right to change what a configuration directory is about; given back when disposed of. */
export interface HostLock extends Disposable {
  /** Directories that were not there before, the outermost first. */
  readonly made: readonly string[];
  release(): void;
}

/**
 * Waits until no other command is at work on this host's configuration. The lock is the kernel's, by SQLite's hand
 * (fcntl(2)): it ends with its process, however that ends. Throws `cli.host`.
 */
export async function lockHost(
  dir: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<HostLock> {
  const path = join(dir, LOCK);
  const made = makeDirectories(dir);
  const patience = clock.monotonic() + PATIENCE_MS;
  for (;;) {
    const database = tryLock(path);
    if (database !== undefined) return lockOf(path, database, made);
    if (clock.monotonic() > patience)
      throw new MeshError("cli.host", `another lateen command is at work in ${dir}`, {
        hint: `wait until it has ended, and run this one again; fuser ${path} names its process`,
      });
    await clock.sleep(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

/** Does something while no other command is at work. */
export async function whileLocked<T>(
  dir: string,
  waiting: Parameters<typeof lockHost>[1],
  work: () => Promise<T>,
): Promise<T> {
  const lock = await lockHost(dir, waiting);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** The directories that had to be made, from the outermost on. */
function makeDirectories(dir: string): readonly string[] {
  try {
    const outermost = mkdirSync(dir, { recursive: true, mode: 0o750 });
    if (outermost === undefined) return [];
    const below = dir.slice(outermost.length).split("/").slice(1);
    return [outermost, ...below.map((_, index) => join(outermost, ...below.slice(0, index + 1)))];
  } catch (cause) {
    throw unwritable(dir, cause);
  }
}

/** Undefined when somebody else has it, or has just given it back and taken the file away. */
function tryLock(path: string): DatabaseSync | undefined {
  try {
    closeSync(openSync(path, "a", 0o600));
    const before = statSync(path).ino;
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec("BEGIN EXCLUSIVE");
      if (statSync(path).ino === before) return database;
    } catch (error) {
      database.close();
      throw error;
    }
    database.close();
    return undefined;
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unwritable(path, cause);
  }
}

function lockOf(path: string, database: DatabaseSync, made: readonly string[]): HostLock {
  const release = (): void => {
    if (!database.isOpen) return;
    rmSync(path, { force: true });
    database.close();
  };
  return { made, release, [Symbol.dispose]: release };
}

function unwritable(path: string, cause: unknown): MeshError {
  return new MeshError("cli.host", `write ${path}: ${messageOf(cause)}`, {
    cause,
    hint: "run it as root, or give another directory with --dir",
  });
}
