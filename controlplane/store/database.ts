import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";

/**
 * Opens the server's one database file; `:memory:` keeps everything in memory. Each store makes its own tables.
 * Writes are on disk when they return (WAL with full synchronisation), so a kill loses no committed change. Throws
 * `store.failed` for a file that is damaged or cannot be had.
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    database = new DatabaseSync(path);
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA foreign_keys = ON",
    );
    if (path !== ":memory:") assertSound(database, path);
    return database;
  } catch (cause) {
    if (database?.isOpen) database.close();
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("store.failed", `open ${path}`, { cause, hint: HINT });
  }
}

const HINT = "look at its owner and the free space; restore a damaged one from the backup";

function assertSound(database: DatabaseSync, path: string): void {
  chmodSync(path, 0o600);
  const [first] = database.prepare("PRAGMA quick_check(1)").all();
  const found = String(first?.["quick_check"]);
  if (found === "ok") return;
  const reason = found.split("\n").at(-1) ?? "";
  throw new MeshError("store.failed", `open ${path}: it is damaged (${reason})`, { hint: HINT });
}

/** Runs `work` in one transaction: all of it takes effect, or nothing. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** Gives a table that an earlier version made the columns that have come since. */
export function addMissingColumns(
  database: DatabaseSync,
  table: string,
  columns: Readonly<Record<string, string>>,
): void {
  const present = new Set(
    database
      .prepare(`PRAGMA table_info(${table})`)
      .all()
      .map(({ name }) => String(name)),
  );
  for (const [name, definition] of Object.entries(columns)) {
    if (!present.has(name)) database.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${definition}`);
  }
}
