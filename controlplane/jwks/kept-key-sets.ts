import type { DatabaseSync } from "node:sqlite";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import type { ServerConfig } from "../config.ts";

/** Remembers fetched keys over restarts of the server, by `keySource`. Writes throw what SQLite throws. */
export interface KeySetMemory {
  /** Undefined: none are kept, or they cannot be used any more. */
  get(source: string): string | undefined;
  put(source: string, keys: string): void;
  /** Forgets all sources but these. */
  keepOnly(sources: ReadonlySet<string>): void;
}

const TABLE = `CREATE TABLE IF NOT EXISTS key_sets (
  source TEXT PRIMARY KEY,
  keys TEXT NOT NULL,
  terms TEXT NOT NULL
) STRICT`;

/**
 * In the server's database: public keys, as many as there are sources. Keys that were fetched under other terms (without
 * TLS, from other addresses, trusting other authorities) than hold now are not given out: they have to be fetched again.
 */
export class KeptKeySets implements KeySetMemory {
  readonly #database: DatabaseSync;
  readonly #terms: string;

  constructor(database: DatabaseSync, { allowHttp, allowAddresses, caFile }: ServerConfig["jwks"]) {
    this.#database = database;
    this.#terms = JSON.stringify({ allowHttp, allowAddresses, caFile });
    database.exec(TABLE);
  }

  get(source: string): string | undefined {
    const row = this.#database
      .prepare("SELECT keys FROM key_sets WHERE source = ? AND terms = ?")
      .get(source, this.#terms);
    if (row === undefined) return undefined;
    // By the rules of the version that runs.
    const parsed = parseKeySet(String(row["keys"]));
    return parsed.kind === "problem" ? undefined : parsed.text;
  }

  put(source: string, keys: string): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO key_sets (source, keys, terms) VALUES (?, ?, ?)")
      .run(source, keys, this.#terms);
  }

  keepOnly(sources: ReadonlySet<string>): void {
    const rows = this.#database.prepare("SELECT source FROM key_sets").all();
    const remove = this.#database.prepare("DELETE FROM key_sets WHERE source = ?");
    for (const { source } of rows) if (!sources.has(String(source))) remove.run(String(source));
  }
}
