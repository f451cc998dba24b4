import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";
import { inTransaction } from "../store/database.ts";
import type { IssuingCa } from "./ca-source.ts";

/**
 * Where an authority is in its life: known to peers and not signing yet; signing; trusted and not signing any more; to be
 * left by everyone at once. After that it is gone.
 */
export type AuthorityState = "prepared" | "active" | "retiring" | "tainted";

/** An authority as the database has it. Times are milliseconds since the epoch. */
export interface StoredAuthority extends IssuingCa {
  /** Its key's identifier, hexadecimal. */
  readonly id: string;
  readonly state: AuthorityState;
  /** PEM: its key, certified by the authority before it, so that peers who do not know its root yet find a path. */
  readonly cross: string | undefined;
  /** The root that the cross-signature leads to. */
  readonly crossRoot: string | undefined;
  readonly ownsRoots: boolean;
  /** The bundle's sequence that first had it in this state. */
  readonly sequence: number;
  readonly createdAt: number;
  readonly stateAt: number;
}

const TABLES = `
CREATE TABLE IF NOT EXISTS authorities (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  authority TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS trust_bundle (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  sequence INTEGER NOT NULL,
  walk INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO trust_bundle (only, sequence) VALUES (1, 1) ON CONFLICT (only) DO NOTHING`;

const STATES: readonly string[] = ["prepared", "active", "retiring", "tainted"] satisfies AuthorityState[];

/** The authorities, the bundle's sequence, and whether a rotation goes on by itself: what survives a restart. */
export class AuthorityStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(TABLES);
  }

  /** In the order in which they were made. */
  list(): readonly StoredAuthority[] {
    return this.#database.prepare("SELECT * FROM authorities ORDER BY rowid").all().map(fromRow);
  }

  get sequence(): number {
    return Number(this.#database.prepare("SELECT sequence FROM trust_bundle").get()?.["sequence"]);
  }

  /** Whether the rotation under way takes its next steps by itself. */
  get walks(): boolean {
    return Number(this.#database.prepare("SELECT walk FROM trust_bundle").get()?.["walk"]) !== 0;
  }

  /** All of a step or nothing of it. Throws `store.failed`. */
  commit(step: {
    readonly put?: readonly StoredAuthority[];
    readonly remove?: readonly string[];
    readonly sequence: number;
    readonly walks?: boolean;
  }): void {
    const put = this.#database.prepare(
      `INSERT INTO authorities (id, state, created_at, authority) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, authority = excluded.authority`,
    );
    const remove = this.#database.prepare("DELETE FROM authorities WHERE id = ?");
    try {
      inTransaction(this.#database, () => {
        for (const id of step.remove ?? []) remove.run(id);
        for (const row of step.put ?? []) put.run(row.id, row.state, row.createdAt, JSON.stringify(row));
        this.#database.prepare("UPDATE trust_bundle SET sequence = ?").run(step.sequence);
        if (step.walks !== undefined) {
          this.#database.prepare("UPDATE trust_bundle SET walk = ?").run(step.walks ? 1 : 0);
        }
      });
    } catch (cause) {
      throw new MeshError("store.failed", "store a step of the CA's rotation", {
        cause,
        hint: "check the disk",
      });
    }
  }
}

function fromRow(row: Readonly<Record<string, SQLOutputValue>>): StoredAuthority {
  const state = String(row["state"]);
  if (!STATES.includes(state)) {
    throw new MeshError("store.failed", `read the authority ${String(row["id"])}: its state is ${state}`, {
      hint: "it is of a newer server: start that one, or restore the database from the backup",
    });
  }
  const stored: StoredAuthority = JSON.parse(String(row["authority"]));
  return { ...stored, cross: stored.cross, crossRoot: stored.crossRoot, state: state as AuthorityState };
}
