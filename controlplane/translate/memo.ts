import { SharedMap } from "../../mesh/collections/shared-map.ts";
import { SmallSet } from "../../mesh/collections/small-set.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";

/** What a build works with: everything it depends on comes through here (or is part of its key). */
export interface Scope {
  readonly view: SnapshotView;
  get<T>(key: string, build: Build<T>, same?: Same<T>): T;
  /**
   * The union of what each of `members` builds under names of its own. Kept in step by member: when only some have
   * changed, come or gone, only those are looked at, and the map shares the rest with the one before. What a member is
   * built from beside what its build reads is in its name.
   */
  collect<T>(key: string, members: readonly string[], build: BuildMember<T>): SharedMap<T>;
  readonly warn: (warning: PublishWarning) => void;
}

/** `before` is the value that this one replaces. */
export type Build<T> = (scope: Scope, before: T | undefined) => T;
export type BuildMember<T> = (scope: Scope, member: string) => ReadonlyMap<string, T>;
/** When a rebuilt value is the same as before, the old one stays, so that identity means "unchanged". */
export type Same<T> = (before: T, after: T) => boolean;

interface Entry {
  readonly key: string;
  value: unknown;
  built: boolean;
  fresh: boolean;
  reads: readonly Readers[];
  children: readonly Entry[];
  readonly parents: SmallSet<Entry>;
  pinned: boolean;
  warnings: readonly PublishWarning[];
  /** Set in an entry that a collection has for one of its members. */
  member: string | undefined;
  /** Of a collection: what it was last built from. */
  collected: Collected | undefined;
  mark: number;
}

/** A snapshot key, and the entries that have read it. Entries refer to these, not to keys: there are millions of reads. */
interface Readers {
  readonly key: SnapshotKey;
  readonly entries: SmallSet<Entry>;
  mark: number;
}

interface Collected {
  readonly members: readonly string[];
  readonly entries: ReadonlyMap<string, Entry>;
  /** What each member had when it was last taken over. */
  readonly parts: Map<string, ReadonlyMap<string, unknown>>;
  /** Members that have gone stale since. */
  readonly stale: Set<string>;
}

/**
 * Values that are built from a snapshot, kept as long as nothing they were built from has changed. Each entry knows the
 * snapshot keys it read and the entries it used; a change makes just those stale, and what used them. Entries that no
 * pinned one uses any more are dropped, so the memo is as large as what is in force.
 */
export class Memo {
  #snapshot: MeshSnapshot;
  readonly #entries = new Map<string, Entry>();
  readonly #readers = new Map<SnapshotKey, Readers>();
  readonly #onBuild: (key: string) => void;
  /** Entries that have something to warn of. */
  readonly #warning = new Set<Entry>();
  /** A number for each list that is gone through; what is in the list is marked with it. */
  #marks = 0;

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
    for (const key of changed) for (const entry of this.#readers.get(key)?.entries ?? NONE) markStale(entry);
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
    return [...this.#warning].flatMap(({ warnings }) => warnings);
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      key,
      value: undefined,
      built: false,
      fresh: false,
      reads: NONE,
      children: NONE,
      parents: new SmallSet(),
      pinned: false,
      warnings: NONE,
      member: undefined,
      collected: undefined,
      mark: 0,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #value<T>(entry: Entry, build: Build<T>, same: Same<T> | undefined): T {
    if (!entry.fresh) this.#rebuild(entry, build, same);
    return entry.value as T;
  }

  #rebuild<T>(entry: Entry, build: Build<T>, same: Same<T> | undefined): void {
    const reads: Readers[] = [];
    const children: Entry[] = [];
    const warnings: PublishWarning[] = [];
    const use = (key: string): Entry => {
      const child = this.#entry(key);
      children.push(child);
      child.parents.add(entry);
      return child;
    };
    const scope: Scope = {
      view: viewOf(this.#snapshot, (key) => reads.push(this.#readersOf(key))),
      get: (key, buildChild, sameChild) => this.#value(use(key), buildChild, sameChild),
      collect: (key, members, buildMember) => this.#collection(use(key), members, buildMember),
      warn: (warning) => warnings.push(warning),
    };
    this.#onBuild(entry.key);
    let value: T;
    try {
      value = build(scope, entry.value as T | undefined);
    } catch (error) {
      // It stays stale with its last value; what it used so far is tracked with the rest, to be dropped with it.
      entry.children = this.#once([...entry.children, ...children]);
      for (const readers of reads) this.#forgetUnread(readers);
      throw error;
    }
    const unchanged = entry.built && (same?.(entry.value as T, value) ?? false);
    if (!unchanged) entry.value = value;
    entry.built = true;
    entry.fresh = true;
    entry.warnings = warnings.length > 0 ? warnings : NONE;
    if (warnings.length > 0) this.#warning.add(entry);
    else this.#warning.delete(entry);
    this.#setReads(entry, reads);
    this.#setChildren(entry, children);
  }

  #collection<T>(entry: Entry, members: readonly string[], build: BuildMember<T>): SharedMap<T> {
    const before = entry.collected;
    if (before === undefined || !sameItems(before.members, members)) {
      // A member whose build throws leaves it so: what there is then is not what this list gives.
      entry.fresh = false;
      this.#collectAll(entry, members, build);
    } else if (!entry.fresh) this.#takeOver(entry, before, build);
    entry.fresh = true;
    entry.built = true;
    return entry.value as SharedMap<T>;
  }

  #collectAll<T>(entry: Entry, members: readonly string[], build: BuildMember<T>): void {
    const before = entry.collected;
    const entries = new Map<string, Entry>();
    const stale = new Set(before?.stale);
    for (const member of members) {
      const known = before?.entries.get(member);
      const child = known ?? this.#entry(`${entry.key}>${member}`);
      entries.set(member, child);
      if (known !== undefined) continue;
      child.parents.add(entry);
      child.member = member;
      stale.add(member);
    }
    for (const member of before?.entries.keys() ?? []) if (!entries.has(member)) stale.add(member);
    const collected: Collected = { members, entries, parts: before?.parts ?? new Map(), stale };
    entry.value ??= SharedMap.empty<T>();
    entry.collected = collected;
    const children = [...entries.values()];
    // Those that are gone are let go last: what comes in their place may use the same.
    entry.children = this.#once([...entry.children, ...children]);
    this.#takeOver(entry, collected, build);
    this.#setChildren(entry, children);
  }

  /** Brings the map up to date in some of its members. One whose build throws leaves all as it was. */
  #takeOver<T>(entry: Entry, collected: Collected, build: BuildMember<T>): void {
    const edits: (readonly [string, T | undefined])[] = [];
    const taken: (readonly [string, ReadonlyMap<string, T> | undefined])[] = [];
    for (const member of collected.stale) {
      const child = collected.entries.get(member);
      const before = collected.parts.get(member) as ReadonlyMap<string, T> | undefined;
      const after = child && this.#value(child, (scope) => build(scope, member), undefined);
      if (after === before) continue;
      taken.push([member, after]);
      for (const name of before?.keys() ?? []) if (after?.has(name) !== true) edits.push([name, undefined]);
      for (const pair of after ?? []) edits.push(pair);
    }
    // Removals first: a name may have moved from one member to another.
    edits.sort((a, b) => Number(a[1] !== undefined) - Number(b[1] !== undefined));
    entry.value = (entry.value as SharedMap<T>).edited(edits);
    for (const [member, part] of taken) {
      if (part === undefined) collected.parts.delete(member);
      else collected.parts.set(member, part);
    }
    collected.stale.clear();
  }

  #readersOf(key: SnapshotKey): Readers {
    const known = this.#readers.get(key);
    if (known !== undefined) return known;
    const readers: Readers = { key, entries: new SmallSet(), mark: 0 };
    this.#readers.set(key, readers);
    return readers;
  }

  #forgetUnread({ key, entries }: Readers): void {
    if (entries.size === 0) this.#readers.delete(key);
  }

  #setReads(entry: Entry, reads: readonly Readers[]): void {
    const before = entry.reads;
    // Those that nobody had read may have been forgotten since.
    entry.reads = this.#once(reads.map((one) => (one.entries.size > 0 ? one : this.#readersOf(one.key))));
    const mark = this.#marks;
    for (const readers of entry.reads) readers.entries.add(entry);
    for (const readers of before) {
      if (readers.mark === mark) continue;
      readers.entries.delete(entry);
      this.#forgetUnread(readers);
    }
  }

  #setChildren(entry: Entry, children: readonly Entry[]): void {
    const before = entry.children;
    entry.children = this.#once(children);
    const mark = this.#marks;
    const gone = before.filter((child) => child.mark !== mark);
    for (const child of gone) {
      child.parents.delete(entry);
      this.#dropUnused(child);
    }
  }

  /** Each item once; these, and no others, have the newest mark then. */
  #once<T extends { mark: number }>(items: readonly T[]): readonly T[] {
    this.#marks += 1;
    if (items.length === 0) return NONE;
    return items.filter((item) => {
      if (item.mark === this.#marks) return false;
      item.mark = this.#marks;
      return true;
    });
  }

  #dropUnused(entry: Entry): void {
    if (entry.pinned || entry.parents.size > 0) return;
    this.#entries.delete(entry.key);
    this.#warning.delete(entry);
    this.#setReads(entry, NONE);
    this.#setChildren(entry, NONE);
  }
}

/** Most entries read nothing themselves, or use no other. */
const NONE: readonly never[] = [];

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}

function markStale(entry: Entry): void {
  if (!entry.fresh) return;
  entry.fresh = false;
  for (const parent of entry.parents) {
    if (entry.member !== undefined) parent.collected?.stale.add(entry.member);
    markStale(parent);
  }
}
