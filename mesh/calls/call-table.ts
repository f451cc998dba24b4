import { type CallKind, coarser } from "./call-kind.ts";

/** How many kinds of calls of one workload are told apart: by source, so that no caller takes the room of another. */
interface CallTableLimits {
  readonly sources: number;
  /** Of each source, by precision. */
  readonly kinds: Readonly<Record<CallKind["precision"], number>>;
}

export const CALL_LIMITS: CallTableLimits = { sources: 256, kinds: { exact: 64, start: 16, rest: 16 } };

type KindsOfSource<T> = Readonly<Record<CallKind["precision"], Map<string, T>>>;

/**
 * Something for each kind of calls of one workload, bounded: when a source has too many kinds, the further ones share
 * coarser ones.
 */
export class CallTable<T> {
  readonly #create: (kind: CallKind) => T;
  readonly #limits: CallTableLimits;
  readonly #sources = new Map<string, KindsOfSource<T>>();
  #size = 0;

  constructor(create: (kind: CallKind) => T, limits: CallTableLimits = CALL_LIMITS) {
    this.#create = create;
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** What there is for calls of this kind, or of the first coarser one that there is room for; undefined: no room. */
  at(kind: CallKind): T | undefined {
    const known = this.#sources.get(kind.source);
    if (known === undefined && this.#sources.size >= this.#limits.sources) return undefined;
    const kinds: KindsOfSource<T> = known ?? { exact: new Map(), start: new Map(), rest: new Map() };
    if (known === undefined) this.#sources.set(kind.source, kinds);
    for (let one: CallKind | undefined = kind; one !== undefined; one = coarser(one)) {
      const entry = this.#entry(kinds, one);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The same, of what is there already. */
  find(kind: CallKind): T | undefined {
    const kinds = this.#sources.get(kind.source);
    if (kinds === undefined) return undefined;
    for (let one: CallKind | undefined = kind; one !== undefined; one = coarser(one)) {
      const entry = kinds[one.precision].get(keyOf(one));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  *values(): Generator<T> {
    for (const { exact, start, rest } of this.#sources.values()) {
      yield* exact.values();
      yield* start.values();
      yield* rest.values();
    }
  }

  /** Drops what is not to be kept. */
  retain(keep: (value: T) => boolean): void {
    for (const [source, kinds] of this.#sources) {
      for (const of of Object.values(kinds)) {
        for (const [key, value] of of) if (!keep(value) && of.delete(key)) this.#size -= 1;
      }
      if (Object.values(kinds).every(({ size }) => size === 0)) this.#sources.delete(source);
    }
  }

  #entry(kinds: KindsOfSource<T>, kind: CallKind): T | undefined {
    const of = kinds[kind.precision];
    const key = keyOf(kind);
    const known = of.get(key);
    if (known !== undefined || of.size >= this.#limits.kinds[kind.precision]) return known;
    const created = this.#create(kind);
    of.set(key, created);
    this.#size += 1;
    return created;
  }
}

/** No part can have a line break in it: HTTP has none in a head. */
function keyOf({ port, protocol, denied, method, host, path, issuer }: CallKind): string {
  return `${port}\n${protocol}\n${denied}\n${method}\n${host}\n${path}\n${issuer}`;
}
