import { createHash, timingSafeEqual } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { type AccessToken, formatAccessToken, generateAccessToken } from "./access-token.ts";
import type { Grant } from "./caller.ts";
import { ROLES } from "./roles.ts";

/** A token as people may see it: never its secret. Times are milliseconds since the epoch. */
export interface AccessTokenRecord {
  readonly id: string;
  readonly name: string;
  readonly grant: Grant;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** To the minute. */
  readonly lastUsedAt: number | undefined;
}

export interface CreatedAccessToken {
  readonly id: string;
  /** The whole token. Told once; only its hash is kept. */
  readonly token: string;
  readonly expiresAt: number;
}

/** A use is written down at most this often: reading must not write each time. */
const USE_GRAIN_MS = 60_000;
/** How long expired tokens stay in the list. */
const KEEP_MS = 30 * 24 * 3600 * 1000;

const TABLE = `CREATE TABLE IF NOT EXISTS access_tokens (
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  namespaces TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT`;

/** Credentials for the admin API on sqlite: scoped, expiring, kept as the SHA-256 of 256 random bits. */
export class AccessTokenStore {
  readonly #clock: Clock;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  readonly #list: StatementSync;
  readonly #used: StatementSync;
  readonly #delete: StatementSync;
  readonly #prune: StatementSync;

  constructor(database: DatabaseSync, clock: Clock) {
    database.exec(TABLE);
    this.#clock = clock;
    this.#insert = database.prepare(
      "INSERT INTO access_tokens (id, secret_hash, name, role, namespaces, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#find = database.prepare("SELECT * FROM access_tokens WHERE id = ?");
    this.#list = database.prepare("SELECT * FROM access_tokens ORDER BY created_at, id");
    this.#used = database.prepare("UPDATE access_tokens SET last_used_at = ? WHERE id = ?");
    this.#delete = database.prepare("DELETE FROM access_tokens WHERE id = ?");
    this.#prune = database.prepare("DELETE FROM access_tokens WHERE expires_at < ?");
  }

  create(name: string, { role, namespaces }: Grant, ttlMs: number): CreatedAccessToken {
    const now = this.#clock.now();
    const made = generateAccessToken();
    const expiresAt = now + ttlMs;
    this.#prune.run(now - KEEP_MS);
    const scope = namespaces === undefined ? null : JSON.stringify(namespaces);
    this.#insert.run(made.id, hash(made.secret), name, role, scope, now, expiresAt);
    return { id: made.id, token: formatAccessToken(made), expiresAt };
  }

  /** The token's record; undefined for one that is unknown, revoked, expired or has another secret. */
  verify({ id, secret }: AccessToken): AccessTokenRecord | undefined {
    const now = this.#clock.now();
    const row = this.#find.get(id);
    // Compared with something of the same length in any case: time does not tell which ids there are.
    const expected = row === undefined ? hash("") : (row["secret_hash"] as Uint8Array);
    if (!timingSafeEqual(hash(secret), expected) || row === undefined) return undefined;
    const record = toRecord(row);
    if (record === undefined || record.expiresAt <= now) return undefined;
    if (now - (record.lastUsedAt ?? 0) >= USE_GRAIN_MS) this.#used.run(now, id);
    return record;
  }

  list(): readonly AccessTokenRecord[] {
    return this.#list.all().flatMap((row) => toRecord(row) ?? []);
  }

  /** False when there is no such token. */
  revoke(id: string): boolean {
    return Number(this.#delete.run(id).changes) === 1;
  }
}

/** Undefined for a role that this version does not know: it grants nothing. */
function toRecord(row: Readonly<Record<string, SQLOutputValue>>): AccessTokenRecord | undefined {
  const role = ROLES.find((one) => one === row["role"]);
  if (role === undefined) return undefined;
  const namespaces =
    row["namespaces"] === null ? undefined : (JSON.parse(String(row["namespaces"])) as string[]);
  const lastUsedAt = row["last_used_at"];
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    grant: { role, namespaces },
    createdAt: Number(row["created_at"]),
    expiresAt: Number(row["expires_at"]),
    lastUsedAt: lastUsedAt === null ? undefined : Number(lastUsedAt),
  };
}

function hash(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
