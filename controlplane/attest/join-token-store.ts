import { createHash, randomUUID } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { generateJoinSecret, isJoinSecret } from "../../mesh/identity/join-token.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { addressIn } from "./address-range.ts";
import { type AgentBinding, formatBinding, parseBinding } from "./agent-binding.ts";

/** A token as people may see it: never its secret. Times are milliseconds since the epoch. */
export interface JoinTokenRecord {
  readonly id: string;
  readonly state: "active" | "used" | "expired";
  readonly createdAt: number;
  readonly expiresAt: number;
  /** The agent that joined with it. */
  readonly usedBy: string | undefined;
  readonly binding: AgentBinding;
}

export interface CreatedJoinToken {
  readonly id: string;
  /** Told once; only its hash is kept. */
  readonly secret: string;
  readonly expiresAt: number;
}

export interface JoinAttempt {
  readonly secret: string;
  /** Of the request, possession proven: who answers for a repetition. */
  readonly publicKeyDer: Uint8Array;
  readonly nodeName: string;
  /** The caller's, without its port. */
  readonly address: string;
  /** The id that the new agent would have. */
  readonly agentId: string;
}

export type Redemption =
  | {
      readonly ok: true;
      readonly tokenId: string;
      /** The id of the attempt, or the one that the same key was given moments ago. */
      readonly agentId: string;
      readonly repeated: boolean;
      readonly binding: AgentBinding;
    }
  /** For the log alone: callers hear one and the same refusal. */
  | { readonly ok: false; readonly reason: string };

/** An answer may get lost: the same key may ask again for this long. */
const REPEAT_MS = 60_000;
/** How long used and expired tokens stay in the list. */
const KEEP_MS = 30 * 24 * 3600 * 1000;

const TABLE = `CREATE TABLE IF NOT EXISTS join_tokens (
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  binding TEXT NOT NULL,
  node_name TEXT,
  used_at INTEGER,
  used_key BLOB,
  agent_id TEXT
) STRICT`;

/**
 * Join tokens on sqlite. The secret is kept as its SHA-256 (it is 256 random bits, so nothing slower is called for), and
 * a token is used up by one UPDATE that either changes its row or does not: of any number at once, one wins.
 */
export class JoinTokenStore {
  readonly #clock: Clock;
  readonly #insert: StatementSync;
  readonly #use: StatementSync;
  readonly #find: StatementSync;
  readonly #list: StatementSync;
  readonly #delete: StatementSync;
  readonly #prune: StatementSync;

  constructor(database: DatabaseSync, clock: Clock) {
    database.exec(TABLE);
    this.#clock = clock;
    this.#insert = database.prepare(
      "INSERT INTO join_tokens (id, secret_hash, created_at, expires_at, binding, node_name) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#use = database.prepare(
      `UPDATE join_tokens SET used_at = ?, used_key = ?, agent_id = ?
       WHERE secret_hash = ? AND used_at IS NULL AND expires_at > ? AND (node_name IS NULL OR node_name = ?)`,
    );
    this.#find = database.prepare("SELECT * FROM join_tokens WHERE secret_hash = ?");
    this.#list = database.prepare("SELECT * FROM join_tokens ORDER BY created_at, id");
    this.#delete = database.prepare("DELETE FROM join_tokens WHERE id = ?");
    this.#prune = database.prepare("DELETE FROM join_tokens WHERE max(expires_at, coalesce(used_at, 0)) < ?");
  }

  create(options: { readonly binding: AgentBinding; readonly ttlMs: number }): CreatedJoinToken {
    const now = this.#clock.now();
    const id = randomUUID();
    const secret = generateJoinSecret();
    const expiresAt = now + options.ttlMs;
    const { binding } = options;
    this.#prune.run(now - KEEP_MS);
    this.#insert.run(id, hash(secret), now, expiresAt, formatBinding(binding), binding.nodeName ?? null);
    return { id, secret, expiresAt };
  }

  /** Uses a token up. What refuses it is a value: an expired, a wrong and a used token are everyday events. */
  redeem(attempt: JoinAttempt): Redemption {
    if (!isJoinSecret(attempt.secret)) return { ok: false, reason: "it has not the form of a token" };
    const now = this.#clock.now();
    const secretHash = hash(attempt.secret);
    const token = this.#find.get(secretHash);
    if (token === undefined) return { ok: false, reason: "there is no such token" };
    const tokenId = String(token["id"]);
    const binding = parseBinding(String(token["binding"]));
    // A token's ranges never change: what holds here holds when the row is updated.
    if (binding.cidrs !== undefined && !addressIn(attempt.address, binding.cidrs)) {
      return { ok: false, reason: `token ${tokenId} is for hosts of ${binding.cidrs.join(", ")}` };
    }
    const key = hash(attempt.publicKeyDer);
    const { changes } = this.#use.run(now, key, attempt.agentId, secretHash, now, attempt.nodeName);
    const repeated = Number(changes) !== 1;
    const row = this.#find.get(secretHash) ?? token;
    if (repeated && !isRepetition(row, key, attempt.nodeName, now))
      return { ok: false, reason: refusalOf(row, now) };
    return { ok: true, tokenId, agentId: String(row["agent_id"]), repeated, binding };
  }

  list(): readonly JoinTokenRecord[] {
    const now = this.#clock.now();
    return this.#list.all().map((row) => toRecord(row, now));
  }

  /** Takes a token back. False when there is no such token. An agent that joined with it stays. */
  revoke(id: string): boolean {
    return Number(this.#delete.run(id).changes) === 1;
  }
}

type Row = Readonly<Record<string, SQLOutputValue>>;

function isRepetition(row: Row, key: Buffer, nodeName: string, now: number): boolean {
  const usedKey = row["used_key"];
  const sameNode = row["node_name"] === null || row["node_name"] === nodeName;
  return (
    sameNode &&
    usedKey instanceof Uint8Array &&
    key.equals(usedKey) &&
    now - Number(row["used_at"]) <= REPEAT_MS
  );
}

function refusalOf(row: Row, now: number): string {
  if (row["used_at"] !== null) return `token ${String(row["id"])} was used already`;
  if (Number(row["expires_at"]) <= now) return `token ${String(row["id"])} has expired`;
  return `token ${String(row["id"])} is for the node ${String(row["node_name"])}`;
}

function toRecord(row: Row, now: number): JoinTokenRecord {
  const used = row["used_at"] !== null;
  const expiresAt = Number(row["expires_at"]);
  return {
    id: String(row["id"]),
    state: used ? "used" : expiresAt <= now ? "expired" : "active",
    createdAt: Number(row["created_at"]),
    expiresAt,
    usedBy: used ? String(row["agent_id"]) : undefined,
    binding: parseBinding(String(row["binding"])),
  };
}

function hash(data: string | Uint8Array): Buffer {
  return createHash("sha256").update(data).digest();
}
