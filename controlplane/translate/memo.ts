import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";

/** What a build works with: everything it depends on comes through here (or is part of its key). */
export interface Scope {
  readonly view: SnapshotView;
  get<T>(key: string, build: Build<T>, same?: Same<T>): T;
  readonly warn: (warning: PublishWarning) => void;
}

export type Build<T> = (scope: Scope) => T;
/** When a rebuilt value is the same as before, the old one stays, so that identity means "unchanged". */
export type Same<T> = (before: T, after: T) => boolean;

interface Entry {
  readonly key: string;
  value: unknown;
  built: boolean;
  fresh: boolean;
  reads: ReadonlySet<SnapshotKey>;
  children: ReadonlySet<Entry>;
  readonly parents: Set<Entry>;
  pinned: boolean;
  warnings: readonly PublishWarning[];
}

/**
 * Values that are built from a snapshot, kept as long as nothing they were built from has changed. Each entry knows the
 * snapshot keys it read and the entries it used; a change makes just those stale, and what used them. Entries that no
 * pinned one uses any more are dropped, so the memo is as large as what is in force.
 */
export class Memo {
  #snapshot: MeshSnapshot;
  readonly #entries = new Map<string, Entry>();
  readonly #readers = new Map<SnapshotKey, Set<Entry>>();
  readonly #onBuild: (key: string) => void;

  constructor(snapshot: MeshSnapshot, onBuild: (key: string) => void = () => {}) {
    this.#snapshot = snapshot;
    this.#onBuild = onBuild;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Goes on to the next snapshot: what read a changed key is rebuilt when it is next asked for. */
  advance(snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>): void {
    this.#snapshot = snapshot;
    for (const key of changed) for (const entry of this.#readers.get(key) ?? []) markStale(entry);
  }

  /** The value of a root: kept, with everything it uses, until it is released. A build that throws changes nothing. */
  root<T>(key: string, build: Build<T>, same?: Same<T>): T {
    const entry = this.#entry(key);
    entry.pinned = true;
    return this.#value(entry, build, same);
  }

  isFresh(key: string): boolean {
    return this.#entries.get(key)?.fresh ?? false;
  }

  release(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.pinned = false;
    this.#dropUnused(entry);
  }

  warnings(): readonly PublishWarning[] {
    return [...this.#entries.values()].flatMap(({ warnings }) => warnings);
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      key,
      value: undefined,
      built: false,
      fresh: false,
      reads: new Set(),
      children: new Set(),
      parents: new Set(),
      pinned: false,
      warnings: [],
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #value<T>(entry: Entry, build: Build<T>, same: Same<T> | undefined): T {
    if (!entry.fresh) this.#rebuild(entry, build, same);
    return entry.value as T;
  }

  #rebuild<T>(entry: Entry, build: Build<T>, same: Same<T> | undefined): void {
    const reads = new Set<SnapshotKey>();
    const children = new Set<Entry>();
    const warnings: PublishWarning[] = [];
    const scope: Scope = {
      view: viewOf(this.#snapshot, (key) => reads.add(key)),
      get: (key, buildChild, sameChild) => {
        const child = this.#entry(key);
        children.add(child);
        child.parents.add(entry);
        return this.#value(child, buildChild, sameChild);
      },
      warn: (warning) => warnings.push(warning),
    };
    this.#onBuild(entry.key);
    let value: T;
    try {
      value = build(scope);
    } catch (error) {
      // It stays stale with its last value; what it used so far is tracked with the rest, to be dropped with it.
      entry.children = entry.children.union(children);
      throw error;
    }
    const unchanged = entry.built && (same?.(entry.value as T, value) ?? false);
    if (!unchanged) entry.value = value;
    entry.built = true;
    entry.fresh = true;
    entry.warnings = warnings;
    this.#setReads(entry, reads);
    this.#setChildren(entry, children);
  }

  #setReads(entry: Entry, reads: ReadonlySet<SnapshotKey>): void {
    for (const key of entry.reads.difference(reads)) {
      const readers = this.#readers.get(key);
      readers?.delete(entry);
      if (readers?.size === 0) this.#readers.delete(key);
    }
    for (const key of reads) {
      const readers = this.#readers.get(key) ?? new Set();
      this.#readers.set(key, readers.add(entry));
    }
    entry.reads = reads;
  }

  #setChildren(entry: Entry, children: ReadonlySet<Entry>): void {
    const gone = entry.children.difference(children);
    entry.children = children;
    for (const child of gone) {
      child.parents.delete(entry);
      this.#dropUnused(child);
    }
  }

  #dropUnused(entry: Entry): void {
    if (entry.pinned || entry.parents.size > 0) return;
    this.#entries.delete(entry.key);
    this.#setReads(entry, new Set());
    this.#setChildren(entry, new Set());
  }
}

function markStale(entry: Entry): void {
  if (!entry.fresh) return;
  entry.fresh = false;
  for (const parent of entry.parents) markStale(parent);
}
