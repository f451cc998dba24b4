import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { addMissingColumns } from "../store/database.ts";
import { type AgentBinding, formatBinding, parseBinding } from "./agent-binding.ts";
import type { AttestationMethod } from "./attestor.ts";

/** How an agent was last attested. Times are milliseconds since the epoch. */
export interface AttestedBy {
  readonly method: AttestationMethod;
  /** What the proof belongs to, in the method's own words. */
  readonly subject: string;
  /** SHA-256 of the key that came with it. */
  readonly keyHash: string;
  readonly at: number;
  /** The longest life of the agent's certificate; undefined: what is usual. */
  readonly ttlMs: number | undefined;
}

/** An agent that has joined. Times are milliseconds since the epoch. */
export interface AgentRecord {
  readonly id: string;
  /** What the host calls itself; grants nothing. */
  readonly nodeName: string;
  readonly version: string;
  readonly binding: AgentBinding;
  readonly joinedAt: number;
  readonly attested: AttestedBy;
  /** Of its newest certificate; empty until there is one. */
  readonly serial: string;
  /** Of the one before: the newest may not have reached it. */
  readonly previousSerial: string;
  readonly lastSeen: number;
  readonly banned: boolean;
}

const TABLE = `CREATE TABLE IF NOT EXISTS agents (
  id TEXT PRIMARY KEY,
  node_name TEXT NOT NULL,
  version TEXT NOT NULL,
  binding TEXT NOT NULL,
  joined_at INTEGER NOT NULL,
  serial TEXT NOT NULL,
  last_seen INTEGER NOT NULL,
  banned INTEGER NOT NULL DEFAULT 0
) STRICT`;

const ADDED_LATER = {
  method: "TEXT NOT NULL DEFAULT 'join-token'",
  subject: "TEXT NOT NULL DEFAULT ''",
  key_hash: "TEXT NOT NULL DEFAULT ''",
  attested_at: "INTEGER NOT NULL DEFAULT 0",
  ttl_ms: "INTEGER",
  previous_serial: "TEXT NOT NULL DEFAULT ''",
} as const;

/** "Last seen" is for people: a write to disk each minute is enough. */
const SEEN_EVERY_MS = 60_000;

/** The agents that have joined, on sqlite. */
export class AgentRecords {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly at: number; readonly stored: number }>();
  readonly #put: StatementSync;
  readonly #get: StatementSync;
  readonly #list: StatementSync;
  readonly #setSerial: StatementSync;
  readonly #setSeen: StatementSync;
  readonly #setBanned: StatementSync;
  #revision = 0;

  constructor(database: DatabaseSync, clock: Clock) {
    database.exec(TABLE);
    addMissingColumns(database, "agents", ADDED_LATER);
    this.#clock = clock;
    this.#put = database.prepare(
      `INSERT INTO agents
         (id, node_name, version, binding, joined_at, serial, last_seen, method, subject, key_hash, attested_at, ttl_ms)
       VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET
         node_name = excluded.node_name, version = excluded.version, binding = excluded.binding,
         last_seen = excluded.last_seen, method = excluded.method, subject = excluded.subject,
         key_hash = excluded.key_hash, attested_at = excluded.attested_at, ttl_ms = excluded.ttl_ms
       WHERE banned = 0`,
    );
    this.#get = database.prepare("SELECT * FROM agents WHERE id = ?");
    this.#list = database.prepare("SELECT * FROM agents ORDER BY joined_at, id");
    this.#setSerial = database.prepare(
      "UPDATE agents SET previous_serial = serial, serial = ?, last_seen = ? WHERE id = ?",
    );
    this.#setSeen = database.prepare("UPDATE agents SET last_seen = ? WHERE id = ?");
    this.#setBanned = database.prepare("UPDATE agents SET banned = ? WHERE id = ?");
  }

  /** Grows whenever an agent comes or is banned or forgiven. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Takes note of an agent that was attested. One that is known keeps when it joined and its serial, and has the rest
   * from the newest attestation; a banned one is left as it is: false.
   */
  put(
    agent: Pick<AgentRecord, "id" | "nodeName" | "version" | "binding"> & {
      readonly attested: Omit<AttestedBy, "at">;
    },
  ): boolean {
    const now = this.#clock.now();
    const { method, subject, keyHash, ttlMs } = agent.attested;
    const { changes } = this.#put.run(
      agent.id,
      agent.nodeName,
      agent.version,
      formatBinding(agent.binding),
      now,
      now,
      method,
      subject,
      keyHash,
      now,
      ttlMs ?? null,
    );
    this.#revision += 1;
    return Number(changes) === 1;
  }

  get(id: string): AgentRecord | undefined {
    const row = this.#get.get(id);
    return row === undefined ? undefined : this.#toRecord(row);
  }

  list(): readonly AgentRecord[] {
    return this.#list.all().map((row) => this.#toRecord(row));
  }

  recordCertificate(id: string, serial: string): void {
    this.#setSerial.run(serial, this.#clock.now(), id);
  }

  /** Cheap enough for each call of an agent. */
  seen(id: string): void {
    const at = this.#clock.now();
    const stored = this.#seen.get(id)?.stored ?? 0;
    const due = at - stored >= SEEN_EVERY_MS;
    if (due) this.#setSeen.run(at, id);
    this.#seen.set(id, { at, stored: due ? at : stored });
  }

  /** Takes effect with the agent's next call. False when there is no such agent. */
  setBanned(id: string, banned: boolean): boolean {
    this.#revision += 1;
    return Number(this.#setBanned.run(banned ? 1 : 0, id).changes) === 1;
  }

  #toRecord(row: Readonly<Record<string, SQLOutputValue>>): AgentRecord {
    const id = String(row["id"]);
    return {
      id,
      nodeName: String(row["node_name"]),
      version: String(row["version"]),
      binding: parseBinding(String(row["binding"])),
      joinedAt: Number(row["joined_at"]),
      attested: {
        method: String(row["method"]) as AttestationMethod,
        subject: String(row["subject"]),
        keyHash: String(row["key_hash"]),
        at: Number(row["attested_at"]),
        ttlMs: row["ttl_ms"] === null ? undefined : Number(row["ttl_ms"]),
      },
      serial: String(row["serial"]),
      previousSerial: String(row["previous_serial"]),
      lastSeen: Math.max(Number(row["last_seen"]), this.#seen.get(id)?.at ?? 0),
      banned: Number(row["banned"]) !== 0,
    };
  }
}
