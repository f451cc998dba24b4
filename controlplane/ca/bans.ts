import type { DatabaseSync } from "node:sqlite";
import { describeSpiffeId, isSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { inTransaction } from "../store/database.ts";
import type { IssuedCertificates, IssuedRecord } from "./issued-certificates.ts";
import type { DeniedCertificate } from "./revocation-lists.ts";

/** Who is banned: one certificate, everyone with an identity, or everything on the host of an agent. */
export type BanTarget =
  | { readonly kind: "serial"; readonly value: string }
  | { readonly kind: "identity"; readonly value: string }
  | { readonly kind: "agent"; readonly value: string };

export type Ban = BanTarget & { readonly reason: string; readonly atMs: number };

const TABLES = `
CREATE TABLE IF NOT EXISTS bans (
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT;
CREATE TABLE IF NOT EXISTS last_ban (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS last_ban_of (spiffe_id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT`;

/** When who has certificates was banned last, milliseconds since the epoch; 0: never. Lifting a ban changes nothing of it. */
export interface LastBans {
  readonly atMs: number;
  /** By the identities that the certificates were of; others with such an identity may go on. */
  readonly ofIdentities: ReadonlyMap<string, number>;
}

/** The bans, in memory and on disk. */
export class Bans {
  readonly #database: DatabaseSync;
  readonly #issued: IssuedCertificates;
  readonly #clock: Clock;
  readonly #bans = new Map<string, Ban>();
  readonly #listeners = new Set<(target: BanTarget) => void>();
  #last: LastBans;
  #revision = 0;

  constructor(database: DatabaseSync, issued: IssuedCertificates, clock: Clock) {
    database.exec(TABLES);
    this.#database = database;
    this.#issued = issued;
    this.#clock = clock;
    for (const row of database.prepare("SELECT * FROM bans ORDER BY at, kind, value").all()) {
      const kind = String(row["kind"]) as Ban["kind"];
      const ban = {
        kind,
        value: String(row["value"]),
        reason: String(row["reason"]),
        atMs: Number(row["at"]),
      };
      this.#bans.set(keyOf(ban), ban);
    }
    const rows = database.prepare("SELECT * FROM last_ban_of").all();
    this.#last = {
      atMs: Number(database.prepare("SELECT at FROM last_ban").get()?.["at"] ?? 0),
      ofIdentities: new Map(rows.map((row) => [String(row["spiffe_id"]), Number(row["at"])])),
    };
  }

  get last(): LastBans {
    return this.#last;
  }

  /** Goes up whenever somebody is banned or forgiven: what was decided before is to be asked again. */
  get revision(): number {
    return this.#revision;
  }

  list(): readonly Ban[] {
    return [...this.#bans.values()];
  }

  /** Repeating a ban changes nothing. */
  add(target: BanTarget, reason: string): void {
    if (this.has(target)) return;
    const ban: Ban = { ...target, reason, atMs: this.#clock.now() };
    // Both or neither: a ban without its mark would never have proxies end what is open.
    const last = inTransaction(this.#database, () => {
      this.#database
        .prepare("INSERT INTO bans (kind, value, reason, at) VALUES (?, ?, ?, ?)")
        .run(ban.kind, ban.value, ban.reason, ban.atMs);
      return this.#mark(ban);
    });
    this.#bans.set(keyOf(ban), ban);
    this.#revision += 1;
    this.#last = last;
    for (const listener of this.#listeners) listener(target);
  }

  /** False when there is no such ban. */
  remove(target: BanTarget): boolean {
    if (!this.has(target)) return false;
    this.#database.prepare("DELETE FROM bans WHERE kind = ? AND value = ?").run(target.kind, target.value);
    this.#bans.delete(keyOf(target));
    this.#revision += 1;
    for (const listener of this.#listeners) listener(target);
    return true;
  }

  /** Calls back with each target that was banned or forgiven, until the signal is aborted. */
  onChange(listener: (target: BanTarget) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  has(target: BanTarget): boolean {
    return this.#bans.has(keyOf(target));
  }

  /** How many certificates that are still good fall under a ban. */
  certificatesUnder(ban: BanTarget): number {
    return this.#certificatesUnder(ban).length;
  }

  /** The agents that a ban is about: one, by whatever it is named, or none. */
  agentsUnder({ kind, value }: BanTarget): readonly string[] {
    if (kind === "agent") return [value];
    const identity = kind === "serial" ? this.#issued.bySerial(value)?.spiffeId : value;
    if (identity === undefined || !isSpiffeId(identity)) return [];
    const subject = describeSpiffeId(identity);
    return subject.kind === "agent" ? [subject.agentId] : [];
  }

  /** Every certificate that is still good and falls under a ban. */
  denied(): readonly DeniedCertificate[] {
    const denied = new Map<string, DeniedCertificate>();
    for (const ban of this.#bans.values()) {
      for (const { serial, authority } of this.#certificatesUnder(ban)) {
        denied.set(serial, { serial, authority, atMs: ban.atMs });
      }
    }
    return [...denied.values()];
  }

  /** Of two bans in one millisecond the second is later. */
  #mark(ban: Ban): LastBans {
    const identities = new Set(this.#certificatesUnder(ban).map(({ spiffeId }) => spiffeId));
    if (identities.size === 0) return this.#last;
    const atMs = Math.max(ban.atMs, this.#last.atMs + 1);
    const ofIdentities = new Map(this.#last.ofIdentities);
    this.#database.prepare("INSERT OR REPLACE INTO last_ban (id, at) VALUES (1, ?)").run(atMs);
    const insert = this.#database.prepare("INSERT OR REPLACE INTO last_ban_of VALUES (?, ?)");
    for (const identity of identities) {
      ofIdentities.set(identity, atMs);
      insert.run(identity, atMs);
    }
    return { atMs, ofIdentities };
  }

  #certificatesUnder({ kind, value }: BanTarget): readonly IssuedRecord[] {
    switch (kind) {
      case "serial": {
        const record = this.#issued.bySerial(value);
        return record === undefined ? [] : [record];
      }
      case "identity":
        return this.#issued.ofIdentity(value);
      case "agent":
        return this.#issued.ofAgent(value);
      default:
        return kind satisfies never;
    }
  }
}

function keyOf({ kind, value }: BanTarget): string {
  return `${kind} ${value}`;
}
