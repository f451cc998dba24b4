import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type AgentBinding, formatBinding, parseBinding } from "./agent-binding.ts";

/** An agent that has joined. Times are milliseconds since the epoch. */
export interface AgentRecord {
  readonly id: string;
  /** What the host calls itself; grants nothing. */
  readonly nodeName: string;
  readonly version: string;
  readonly binding: AgentBinding;
  readonly joinedAt: number;
  /** Of its newest certificate; empty until there is one. */
  readonly serial: string;
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

/** "Last seen" is for people: a write to disk each minute is enough. */
const SEEN_EVERY_MS = 60_000;

/** The agents that have joined, on sqlite. */
export class AgentRecords {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly at: number; readonly stored: number }>();
  readonly #insert: StatementSync;
  readonly #get: StatementSync;
  readonly #list: StatementSync;
  readonly #setSerial: StatementSync;
  readonly #setSeen: StatementSync;
  readonly #setBanned: StatementSync;
  #revision = 0;

  constructor(database: DatabaseSync, clock: Clock) {
    database.exec(TABLE);
    this.#clock = clock;
    this.#insert = database.prepare(
      `INSERT INTO agents (id, node_name, version, binding, joined_at, serial, last_seen)
       VALUES (?, ?, ?, ?, ?, '', ?) ON CONFLICT (id) DO NOTHING`,
    );
    this.#get = database.prepare("SELECT * FROM agents WHERE id = ?");
    this.#list = database.prepare("SELECT * FROM agents ORDER BY joined_at, id");
    this.#setSerial = database.prepare("UPDATE agents SET serial = ?, last_seen = ? WHERE id = ?");
    this.#setSeen = database.prepare("UPDATE agents SET last_seen = ? WHERE id = ?");
    this.#setBanned = database.prepare("UPDATE agents SET banned = ? WHERE id = ?");
  }

  /** Grows whenever an agent comes or is banned or forgiven. */
  get revision(): number {
    return this.#revision;
  }

  /** Keeps the record that is there when the id is known already: a join that is repeated changes nothing. */
  add(agent: Pick<AgentRecord, "id" | "nodeName" | "version" | "binding">): void {
    const now = this.#clock.now();
    this.#revision += 1;
    this.#insert.run(agent.id, agent.nodeName, agent.version, formatBinding(agent.binding), now, now);
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
      serial: String(row["serial"]),
      lastSeen: Math.max(Number(row["last_seen"]), this.#seen.get(id)?.at ?? 0),
      banned: Number(row["banned"]) !== 0,
    };
  }
}
