import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import {
  byPrecedence,
  type Kind,
  type ObjectKey,
  type ParsedObject,
  type StoredObject,
} from "../../mesh/model/object.ts";
import { parseObject } from "../../mesh/model/parse-object.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import {
  checkOrigin,
  type Holding,
  holdingOf,
  keyOf,
  type Pending,
  planApply,
  unsettledOf,
} from "./apply-plan.ts";
import { ChangeGuards } from "./change-guards.ts";
import { ChangeListeners } from "./change-listeners.ts";
import type { AppliedObject, ApplyOptions, ConfigStore, StoreChange, Unsettled } from "./config-store.ts";
import { inTransaction } from "./database.ts";
import { KeptRevisions, type KeptRow } from "./kept-revisions.ts";

export interface SqliteConfigStoreOptions {
  readonly database: DatabaseSync;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A row that no longer parses, for instance after a downgrade. It is kept, and has no effect. */
export interface UnreadableObject {
  readonly key: ObjectKey;
  readonly origin: string;
  readonly reason: string;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS config_objects (
    key TEXT PRIMARY KEY,
    written TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS config_revision (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    revision INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO config_revision VALUES (1, 0);
`;

/**
 * The ConfigStore of a single server. The objects are held in memory, parsed; each change is on disk before it is told.
 * What was stored is parsed again at the start, so that it obeys the rules of the version that runs.
 */
export class SqliteConfigStore implements ConfigStore {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners: ChangeListeners;
  readonly #kept: KeptRevisions;
  readonly #guards = new ChangeGuards();
  readonly #holdings = new Map<ObjectKey, Holding>();
  readonly #unreadable = new Map<ObjectKey, UnreadableObject>();
  #sorted: readonly StoredObject[] | undefined;
  #revision = 0;

  constructor({ database, clock, logger }: SqliteConfigStoreOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#logger = logger;
    this.#listeners = new ChangeListeners(logger);
    this.#kept = new KeptRevisions(database);
    this.#load();
  }

  get revision(): number {
    return this.#revision;
  }

  /** What is stored and has no effect because it no longer parses. */
  get unreadable(): readonly UnreadableObject[] {
    return [...this.#unreadable.values()];
  }

  list(filter: { readonly kind?: Kind; readonly namespace?: string } = {}): readonly StoredObject[] {
    this.#sorted ??= [...this.#holdings.values()].flatMap(({ object }) => object ?? []).sort(byPrecedence);
    const { kind, namespace } = filter;
    if (kind === undefined && namespace === undefined) return this.#sorted;
    return this.#sorted.filter(
      (object) =>
        (kind === undefined || object.kind === kind) &&
        (namespace === undefined || object.metadata.namespace === namespace),
    );
  }

  get(key: ObjectKey): StoredObject | undefined {
    return this.#holdings.get(key)?.object;
  }

  apply(objects: readonly ParsedObject[], options: ApplyOptions): readonly AppliedObject[] {
    const at = { now: this.#clock.now(), revision: this.#revision + 1 };
    const { applied, changes } = planApply(this.#holdings, objects, options, at);
    this.#guards.ask(changes);
    if (options.dryRun !== true) this.#commit(changes);
    return applied;
  }

  delete(key: ObjectKey, { origin }: { readonly origin: string }): boolean {
    const held = this.#holdings.get(key);
    checkOrigin(key, held, origin);
    if (held === undefined) return false;
    this.#commit([{ key, before: held.object, after: undefined }]);
    return true;
  }

  unsettled(): readonly Unsettled[] {
    return unsettledOf(this.#holdings.values());
  }

  settle(objects: readonly StoredObject[]): void {
    const settled = objects
      .map((object) => ({ key: keyOf(object), held: this.#holdings.get(keyOf(object)), object }))
      .filter(({ held, object }) => held?.pending && held.object?.revision === object.revision);
    if (settled.length === 0) return;
    this.#stored(`settle ${settled.length} objects`, () => this.#kept.remove(settled.map(({ key }) => key)));
    for (const { key, held } of settled) if (held) this.#holdings.set(key, { ...held, pending: undefined });
  }

  guard(check: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void {
    this.#guards.add(check, signal);
  }

  onChange(listener: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void {
    this.#listeners.add(listener, signal);
  }

  /** Disk first, then memory, then listeners: what fails on disk never happened. */
  #commit(changes: readonly StoreChange[]): void {
    if (changes.length === 0) return;
    const revision = this.#revision + 1;
    this.#stored(`store ${changes.length} changes`, () => this.#write(changes, revision));
    this.#revision = revision;
    this.#sorted = undefined;
    for (const { key, after, kept } of changes) {
      this.#unreadable.delete(key);
      if (after === undefined) this.#holdings.delete(key);
      else this.#holdings.set(key, holdingOf(after, kept));
    }
    this.#listeners.tell(changes);
  }

  /** All of it is on disk afterwards, or nothing. */
  #stored(what: string, work: () => void): void {
    try {
      inTransaction(this.#database, work);
    } catch (error) {
      throw new MeshError("store.failed", `cannot ${what}`, {
        cause: error,
        hint: "check that the state directory is writable and its disk not full",
      });
    }
  }

  #write(changes: readonly StoreChange[], revision: number): void {
    const put = this.#database.prepare(
      "INSERT INTO config_objects (key, written, origin, created_at, revision) VALUES (?, ?, ?, ?, ?)" +
        " ON CONFLICT (key) DO UPDATE SET written = excluded.written, origin = excluded.origin," +
        " revision = excluded.revision",
    );
    const remove = this.#database.prepare("DELETE FROM config_objects WHERE key = ?");
    for (const { key, after, kept } of changes) {
      if (after === undefined) {
        remove.run(key);
        continue;
      }
      put.run(key, JSON.stringify(after.written), after.origin, after.createdAt, after.revision);
      // In one transaction: whenever the server dies, what was in force is the newest revision or is kept.
      if (holdingOf(after, kept).pending) this.#kept.put(key, after.revision, kept);
    }
    this.#database.prepare("UPDATE config_revision SET revision = ?").run(revision);
  }

  #load(): void {
    try {
      this.#database.exec(TABLES);
      const row = this.#database.prepare("SELECT revision FROM config_revision").get();
      this.#revision = Number(row?.["revision"] ?? 0);
      const rows = this.#database.prepare("SELECT * FROM config_objects ORDER BY key").all();
      const unsettled = this.#kept.load();
      for (const each of rows) this.#loadRow(each, unsettled.get(String(each["key"]) as ObjectKey));
    } catch (error) {
      throw new MeshError("store.failed", "cannot read the stored configuration", {
        cause: error,
        hint: "check the database file in the state directory, or restore it from a backup",
      });
    }
  }

  #loadRow(row: Readonly<Record<string, SQLOutputValue>>, unsettled: KeptRow | undefined): void {
    const key = String(row["key"]) as ObjectKey;
    const origin = String(row["origin"]);
    const createdAt = Number(row["created_at"]);
    const pending = unsettled && this.#pendingOf(key, unsettled, { createdAt, origin });
    const parsed = parseWritten(key, String(row["written"]));
    if ("reason" in parsed) {
      this.#holdings.set(key, { createdAt, origin, object: undefined, pending });
      this.#unreadable.set(key, { key, origin, reason: parsed.reason });
      this.#logger.error("a stored object no longer parses: it is kept and has no effect", {
        key,
        reason: parsed.reason,
      });
      return;
    }
    const object = { ...parsed.object, createdAt, revision: Number(row["revision"]), origin };
    this.#holdings.set(key, { createdAt, origin, object, pending });
  }

  /** A kept revision that no longer parses can no longer be in force. */
  #pendingOf(
    key: ObjectKey,
    { kept }: KeptRow,
    of: { readonly createdAt: number; readonly origin: string },
  ): Pending {
    if (kept === undefined) return { kept };
    const parsed = parseWritten(key, kept.written);
    if ("object" in parsed) return { kept: { ...parsed.object, ...of, revision: kept.revision } };
    const { reason } = parsed;
    this.#logger.error("a revision that stayed in force no longer parses", { key, reason });
    return { kept: undefined };
  }
}

function parseWritten(
  key: ObjectKey,
  text: string,
): { readonly object: ParsedObject } | { readonly reason: string } {
  try {
    // The stored form names its namespace, so the default is never used.
    const { object, violations } = parseObject(JSON.parse(text), { defaultNamespace: "default" });
    if (object !== undefined)
      return keyOf(object) === key ? { object } : { reason: "is stored under another key" };
    const errors = violations.filter(({ severity }) => severity === "error");
    return { reason: errors.map(({ path, message }) => `${path}: ${message}`).join("; ") };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}
