import { fnv1a } from "./fnv.ts";

/** What is different between two maps. */
export interface MapChange<V> {
  readonly set: readonly (readonly [string, V])[];
  readonly removed: readonly string[];
}

/** A part of a map, never changed: maps that share it have the same object. */
export type Bucket<V> = ReadonlyMap<string, V>;

const FEWEST_BUCKETS = 8;
const MOST_BUCKETS = 4096;
/** Entries of a bucket when there are as many as there should be. */
const FILL = 8;

/**
 * An immutable map that shares with its predecessor all that an edit does not touch: an edit costs the buckets it falls
 * into, and two maps of one line of descent are compared by the buckets in which they differ. Order is that of the
 * buckets: the same for the same keys of one line, but not sorted.
 */
export class SharedMap<V> implements ReadonlyMap<string, V> {
  readonly #buckets: readonly Bucket<V>[];
  readonly size: number;

  private constructor(buckets: readonly Bucket<V>[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static empty<V>(): SharedMap<V> {
    return new SharedMap<V>(emptyBuckets(FEWEST_BUCKETS), 0);
  }

  static of<V>(entries: Iterable<readonly [string, V]>): SharedMap<V> {
    return SharedMap.empty<V>().edited(entries);
  }

  /** All of it, in parts: for work that is to be done once for what maps share. */
  get buckets(): readonly Bucket<V>[] {
    return this.#buckets;
  }

  get(key: string): V | undefined {
    return this.#bucketOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#bucketOf(key).has(key);
  }

  /** The map with these values; undefined removes. The same map when nothing is different (by identity). */
  edited(edits: Iterable<readonly [string, V | undefined]>): SharedMap<V> {
    const copies = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of edits) {
      const index = this.#indexOf(key);
      const bucket = copies.get(index) ?? this.#buckets[index] ?? EMPTY_BUCKET;
      const before = bucket.get(key);
      if (before === value) continue;
      const copy = copies.get(index) ?? new Map(this.#buckets[index]);
      copies.set(index, copy);
      if (value === undefined) copy.delete(key);
      else copy.set(key, value);
      size += Number(value !== undefined) - Number(before !== undefined);
    }
    if (copies.size === 0) return this;
    const buckets = [...this.#buckets];
    for (const [index, copy] of copies) buckets[index] = copy;
    return new SharedMap(fitting(buckets, size), size);
  }

  /** What has to be done to `before` for it to be this map. */
  changesSince(before: SharedMap<V>): MapChange<V> {
    if (before === this) return NO_CHANGE;
    const set: (readonly [string, V])[] = [];
    const removed: string[] = [];
    const [old, young] = [before.#buckets, this.#buckets];
    const aligned = old.length === young.length;
    // By index: most of thousands of buckets are the same.
    for (let index = 0; index < young.length; index++) {
      const bucket = young[index] ?? EMPTY_BUCKET;
      if (aligned && old[index] === bucket) continue;
      for (const entry of bucket) if (before.get(entry[0]) !== entry[1]) set.push(entry);
    }
    for (let index = 0; index < old.length; index++) {
      const bucket = old[index] ?? EMPTY_BUCKET;
      if (aligned && young[index] === bucket) continue;
      for (const key of bucket.keys()) if (!this.has(key)) removed.push(key);
    }
    return { set, removed };
  }

  *entries(): MapIterator<[string, V]> {
    for (const bucket of this.#buckets) yield* bucket.entries();
  }

  *keys(): MapIterator<string> {
    for (const bucket of this.#buckets) yield* bucket.keys();
  }

  *values(): MapIterator<V> {
    for (const bucket of this.#buckets) yield* bucket.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(call: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) call(value, key, this);
  }

  #bucketOf(key: string): Bucket<V> {
    return this.#buckets[this.#indexOf(key)] ?? EMPTY_BUCKET;
  }

  /** The number of buckets is a power of two. */
  #indexOf(key: string): number {
    return hash(key) & (this.#buckets.length - 1);
  }
}

const NO_CHANGE: MapChange<never> = { set: [], removed: [] };
const EMPTY_BUCKET: ReadonlyMap<string, never> = new Map<string, never>();

function emptyBuckets(count: number): readonly Bucket<never>[] {
  return Array.from({ length: count }, () => EMPTY_BUCKET);
}

/** The same entries in four times as many buckets, or as few as it takes, once they are far from the right number. */
function fitting<V>(buckets: readonly Bucket<V>[], size: number): readonly Bucket<V>[] {
  const crowded = size > buckets.length * FILL * 2 && buckets.length < MOST_BUCKETS;
  const sparse = size * 8 < buckets.length * FILL && buckets.length > FEWEST_BUCKETS;
  if (!crowded && !sparse) return buckets;
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(size / FILL, 1)));
  const count = Math.min(Math.max(wanted, FEWEST_BUCKETS), MOST_BUCKETS);
  const made = Array.from({ length: count }, () => new Map<string, V>());
  for (const bucket of buckets) {
    for (const [key, value] of bucket) made[hash(key) & (count - 1)]?.set(key, value);
  }
  return made;
}

/** The low bits depend on all characters. */
function hash(text: string): number {
  const value = fnv1a(text);
  return value ^ (value >>> 15);
}
