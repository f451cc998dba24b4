import { fnv1a } from "../collections/fnv.ts";

interface Edit {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly result: WeakRef<NameSet>;
}

/** Sets that are alive, by hash. One that is equal to such a set is not made a second time. */
const pool = new Map<number, WeakRef<NameSet>[]>();
const FEWEST_TO_SWEEP = 1024;
let sweepAt = FEWEST_TO_SWEEP;

/**
 * An immutable set of names. Equal sets are the same object (with rare exceptions, so compare by content where it
 * matters): thousands of streams that subscribe to the same names hold one set of them.
 */
export class NameSet {
  static readonly empty: NameSet = new NameSet(new Set(), 0);

  readonly #names: ReadonlySet<string>;
  /** Independent of order. */
  readonly #hash: number;
  /** What it was last edited to: streams do the same one after the other. */
  #lastEdit: Edit | undefined;

  private constructor(names: ReadonlySet<string>, hash: number) {
    this.#names = names;
    this.#hash = hash;
  }

  static of(names: readonly string[]): NameSet {
    return NameSet.empty.edited(names, []);
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  [Symbol.iterator](): SetIterator<string> {
    return this.#names[Symbol.iterator]();
  }

  /** A name in both lists is in the result. */
  edited(added: readonly string[], removed: readonly string[]): NameSet {
    if (added.length === 0 && removed.length === 0) return this;
    const last = this.#lastEdit;
    const isSame = last !== undefined && sameNames(last.added, added) && sameNames(last.removed, removed);
    const known = isSame ? last.result.deref() : undefined;
    if (known !== undefined) return known;
    const result = this.#edit(added, removed);
    this.#lastEdit = { added, removed, result: new WeakRef(result) };
    return result;
  }

  #edit(added: readonly string[], removed: readonly string[]): NameSet {
    const names = new Set(this.#names);
    let hash = this.#hash;
    for (const name of removed) if (names.delete(name)) hash -= fnv1a(name);
    for (const name of added) {
      if (names.has(name)) continue;
      names.add(name);
      hash += fnv1a(name);
    }
    return this.#pooled(names, hash >>> 0);
  }

  #pooled(names: ReadonlySet<string>, hash: number): NameSet {
    if (names.size === 0) return NameSet.empty;
    const alive = (pool.get(hash) ?? []).filter((one) => one.deref() !== undefined);
    for (const one of alive) {
      const set = one.deref();
      if (set !== undefined && set.size === names.size && names.isSubsetOf(set.#names)) return set;
    }
    const set = new NameSet(names, hash);
    pool.set(hash, [...alive, new WeakRef(set)]);
    if (pool.size > sweepAt) sweep();
    return set;
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

function sweep(): void {
  for (const [hash, sets] of pool) {
    if (sets.every((one) => one.deref() === undefined)) pool.delete(hash);
  }
  sweepAt = Math.max(FEWEST_TO_SWEEP, pool.size * 2);
}
