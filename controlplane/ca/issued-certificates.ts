import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { inTransaction } from "../store/database.ts";
import type { CertificateAuthority, IssuedCertificate } from "./certificate-authority.ts";

/** A certificate that was handed out and has not expired. Times are milliseconds since the epoch. */
export interface IssuedRecord {
  readonly serial: string;
  readonly spiffeId: string;
  /** Empty: the server's own. */
  readonly agentId: string;
  readonly authority: string;
  readonly notAfterMs: number;
}

const TABLE = `
CREATE TABLE IF NOT EXISTS issued_certificates (
  serial TEXT PRIMARY KEY,
  spiffe_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  authority TEXT NOT NULL,
  not_after INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS issued_by_identity ON issued_certificates (spiffe_id);
CREATE INDEX IF NOT EXISTS issued_by_agent ON issued_certificates (agent_id)`;

/** Writes wait this long for company: a thousand hosts that renew at once cost some dozens of commits. */
const GATHER_MS = 2;
const PRUNE_EVERY_MS = 60_000;

interface Waiting {
  readonly record: IssuedRecord;
  readonly done: PromiseWithResolvers<void>;
}

/** Every certificate that is still good, so that it can be taken back by whom it was given to. */
export class IssuedCertificates {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #insert: StatementSync;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #prunedAt = 0;

  constructor(database: DatabaseSync, clock: Clock) {
    database.exec(TABLE);
    this.#database = database;
    this.#clock = clock;
    this.#insert = database.prepare(
      `INSERT OR REPLACE INTO issued_certificates (serial, spiffe_id, agent_id, authority, not_after)
       VALUES (?, ?, ?, ?, ?)`,
    );
  }

  /** Resolves once it is on disk. Rejects with `store.failed`. */
  async add(record: IssuedRecord): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ record, done });
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
    await done.promise;
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    try {
      inTransaction(this.#database, () => {
        for (const { record } of batch) this.#write(record);
        this.#prune();
      });
      for (const { done } of batch) done.resolve();
    } catch (cause) {
      const error = new MeshError("store.failed", "note a certificate that was issued", {
        cause,
        hint: "check the disk",
      });
      for (const { done } of batch) done.reject(error);
    }
  }

  bySerial(serial: string): IssuedRecord | undefined {
    return this.#find("serial = ?", serial)[0];
  }

  ofIdentity(spiffeId: string): readonly IssuedRecord[] {
    return this.#find("spiffe_id = ?", spiffeId);
  }

  ofAgent(agentId: string): readonly IssuedRecord[] {
    return this.#find("agent_id = ?", agentId);
  }

  /** When the last of an authority's leaves on hosts ends; undefined: there is none any more. */
  lastEndOf(authority: string): number | undefined {
    const own = this.#find("authority = ?", authority).filter(({ agentId }) => agentId !== "");
    return own.length === 0 ? undefined : Math.max(...own.map(({ notAfterMs }) => notAfterMs));
  }

  #find(where: string, value: string): readonly IssuedRecord[] {
    this.flush();
    const query = `SELECT * FROM issued_certificates WHERE ${where} AND not_after > ? ORDER BY serial`;
    return this.#database
      .prepare(query)
      .all(value, this.#clock.now())
      .map((row) => ({
        serial: String(row["serial"]),
        spiffeId: String(row["spiffe_id"]),
        agentId: String(row["agent_id"]),
        authority: String(row["authority"]),
        notAfterMs: Number(row["not_after"]),
      }));
  }

  #write({ serial, spiffeId, agentId, authority, notAfterMs }: IssuedRecord): void {
    this.#insert.run(serial, spiffeId, agentId, authority, notAfterMs);
  }

  #prune(): void {
    const now = this.#clock.monotonic();
    if (this.#prunedAt !== 0 && now - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = now;
    this.#database.prepare("DELETE FROM issued_certificates WHERE not_after <= ?").run(this.#clock.now());
  }
}

/** The authority, noting what it issues before anyone gets it. */
export function noted(ca: CertificateAuthority, issued: IssuedCertificates): CertificateAuthority {
  return {
    get bundle() {
      return ca.bundle;
    },
    onBundleChange: (listener, signal) => ca.onBundleChange(listener, signal),
    async issue(request): Promise<IssuedCertificate> {
      const certificate = await ca.issue(request);
      await issued.add({ ...certificate, agentId: request.agentId ?? "" });
      return certificate;
    },
  };
}
