import type { CallKind, CountedCalls } from "./call-kind.ts";
import { CallTable } from "./call-table.ts";

/** Calls that came together. */
export interface Seen {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface Tally {
  readonly calls: readonly CountedCalls[];
  /** Calls that are in none of them. */
  readonly leftOut: number;
}

interface Entry {
  readonly kind: CallKind;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** Counts the calls of one workload until they are taken away. Bounded as a `CallTable` is. */
export class CallTally {
  #table = newTable();
  #leftOut = 0;

  get isEmpty(): boolean {
    return this.#table.size === 0 && this.#leftOut === 0;
  }

  add(kind: CallKind, { count, firstMs, lastMs }: Seen): void {
    const entry = this.#table.at(kind);
    if (entry === undefined) {
      this.#leftOut += count;
      return;
    }
    entry.count += count;
    entry.firstMs = Math.min(entry.firstMs, firstMs);
    entry.lastMs = Math.max(entry.lastMs, lastMs);
  }

  /** What was counted since the last time. */
  take(): Tally {
    const calls = [...this.#table.values()].map(({ kind, count, firstMs, lastMs }) => ({
      ...kind,
      count,
      firstSeenMs: firstMs,
      lastSeenMs: lastMs,
    }));
    const leftOut = this.#leftOut;
    this.#table = newTable();
    this.#leftOut = 0;
    return { calls, leftOut };
  }
}

function newTable(): CallTable<Entry> {
  return new CallTable((kind) => ({ kind, count: 0, firstMs: Number.POSITIVE_INFINITY, lastMs: 0 }));
}
