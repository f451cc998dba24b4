import type { DatabaseSync } from "node:sqlite";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";

/** What is stored of an object that is not settled. */
export interface KeptRow {
  /** Revision of the object that this is about. */
  readonly newest: number;
  /** Undefined: no revision of it was ever settled. */
  readonly kept: { readonly written: string; readonly revision: number } | undefined;
}

// A row goes with its object, under versions of the server too that do not know this table.
const TABLE = `
  CREATE TABLE IF NOT EXISTS config_kept (
    key TEXT PRIMARY KEY REFERENCES config_objects (key) ON DELETE CASCADE,
    newest INTEGER NOT NULL,
    written TEXT,
    revision INTEGER
  ) STRICT;
`;

/** The table of the objects that are not settled, beside that of the objects. Reads and writes throw what SQLite throws. */
export class KeptRevisions {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Makes the table where there is none; forgets rows about a revision that an earlier version has replaced since. */
  load(): ReadonlyMap<ObjectKey, KeptRow> {
    this.#database.exec(TABLE);
    this.#database.exec(
      "DELETE FROM config_kept WHERE newest <> (SELECT revision FROM config_objects AS one WHERE one.key = config_kept.key)",
    );
    const rows = this.#database.prepare("SELECT * FROM config_kept").all();
    return new Map(
      rows.map(({ key, newest, written, revision }) => [
        String(key) as ObjectKey,
        {
          newest: Number(newest),
          kept: written === null ? undefined : { written: String(written), revision: Number(revision) },
        },
      ]),
    );
  }

  /** To be called in the transaction that stores the revision `newest` itself. */
  put(key: ObjectKey, newest: number, kept: StoredObject | undefined): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO config_kept (key, newest, written, revision) VALUES (?, ?, ?, ?)")
      .run(
        key,
        newest,
        kept === undefined ? null : JSON.stringify(kept.written),
        kept === undefined ? null : kept.revision,
      );
  }

  remove(keys: Iterable<ObjectKey>): void {
    const remove = this.#database.prepare("DELETE FROM config_kept WHERE key = ?");
    for (const key of keys) remove.run(key);
  }
}
