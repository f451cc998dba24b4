import type { CallKind, CountedCalls } from "../../mesh/calls/call-kind.ts";
import { CALL_LIMITS, CallTable } from "../../mesh/calls/call-table.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type PlacedWorkload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { ReportedCalls } from "./parse-call-report.ts";

/** Calls that came to a workload. */
export interface HistoryOfWorkload {
  /** As it was when it was last called. */
  readonly workload: PlacedWorkload;
  readonly calls: readonly CountedCalls[];
  /** Calls that were seen and are in none of them, for there were too many kinds. */
  readonly leftOut: number;
}

/** Calls of one kind, by the hour (since the epoch) in which they were last seen. */
interface Entry {
  readonly kind: CallKind;
  firstSeenMs: number;
  lastSeenMs: number;
  readonly hours: { readonly hour: number; count: number }[];
}

interface Called {
  workload: PlacedWorkload;
  readonly table: CallTable<Entry>;
  readonly leftOut: { readonly hour: number; count: number }[];
}

const HOUR_MS = 3_600_000;
export const KEPT_HOURS = 24;
/** Kinds of calls in the whole mesh: about 100 MB. */
const MOST_ENTRIES = 200_000;
/** Kinds of calls to one workload. */
const LIMITS = { ...CALL_LIMITS, sources: 1_000 };

/**
 * The calls of the last 24 hours, as agents reported them. In memory, bounded for each caller of each workload and in
 * all; a restart of the server forgets it.
 */
export class CallHistory {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  readonly #mostEntries: number;
  readonly #byWorkload = new Map<WorkloadId, Called>();
  #entries = 0;

  constructor(clock: Pick<Clock, "now" | "sleep">, mostEntries = MOST_ENTRIES) {
    this.#clock = clock;
    this.#mostEntries = mostEntries;
  }

  /** Kinds of calls that are kept. */
  get size(): number {
    return this.#entries;
  }

  add(workload: PlacedWorkload, { calls, leftOut }: Pick<ReportedCalls, "calls" | "leftOut">): void {
    const called = this.#called(workload);
    called.workload = workload;
    let lost = leftOut;
    for (const one of calls) if (!this.#addCalls(called, one)) lost += one.count;
    if (lost > 0) countIn(called.leftOut, hourOf(this.#clock.now()), lost);
  }

  /** What was seen since then, workloads in the order in which they were first called. */
  since(sinceMs: number): readonly HistoryOfWorkload[] {
    const first = hourOf(sinceMs);
    const recent = ({ hour }: { readonly hour: number }): boolean => hour >= first;
    return [...this.#byWorkload.values()].flatMap(({ workload, table, leftOut }) => {
      const calls = [...table.values()].flatMap(({ kind, firstSeenMs, lastSeenMs, hours }) => {
        const count = sum(hours.filter(recent));
        return count > 0 && lastSeenMs >= sinceMs ? [{ ...kind, count, firstSeenMs, lastSeenMs }] : [];
      });
      const lost = sum(leftOut.filter(recent));
      return calls.length + lost > 0 ? [{ workload, calls, leftOut: lost }] : [];
    });
  }

  /** Forgets what is too old, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.forgetOld();
      await this.#clock.sleep(HOUR_MS / 4, signal);
    }
  }

  /** One round of `run`. */
  forgetOld(): void {
    const first = hourOf(this.#clock.now()) - KEPT_HOURS;
    const drop = (hours: { readonly hour: number }[]): void => {
      const kept = hours.findIndex(({ hour }) => hour > first);
      hours.splice(0, kept < 0 ? hours.length : kept);
    };
    this.#entries = 0;
    for (const [id, { table, leftOut }] of this.#byWorkload) {
      drop(leftOut);
      table.retain(({ hours }) => {
        drop(hours);
        return hours.length > 0;
      });
      this.#entries += table.size;
      if (table.size + leftOut.length === 0) this.#byWorkload.delete(id);
    }
  }

  #called(workload: PlacedWorkload): Called {
    const id = workloadId(workload);
    const known = this.#byWorkload.get(id);
    if (known !== undefined) return known;
    const table = new CallTable<Entry>(newEntry, LIMITS);
    const called: Called = { workload, table, leftOut: [] };
    this.#byWorkload.set(id, called);
    return called;
  }

  #addCalls({ table }: Called, { count, firstSeenMs, lastSeenMs, ...kind }: CountedCalls): boolean {
    const before = table.size;
    // A full history goes on counting what it has, and takes in nothing new.
    const entry = this.#entries >= this.#mostEntries ? table.find(kind) : table.at(kind);
    this.#entries += table.size - before;
    if (entry === undefined) return false;
    entry.firstSeenMs = Math.min(entry.firstSeenMs, firstSeenMs);
    entry.lastSeenMs = Math.max(entry.lastSeenMs, lastSeenMs);
    countIn(entry.hours, hourOf(lastSeenMs), count);
    return true;
  }
}

function newEntry(kind: CallKind): Entry {
  return { kind, firstSeenMs: Number.POSITIVE_INFINITY, lastSeenMs: 0, hours: [] };
}

/** Keeps the hours in their order. */
function countIn(hours: { readonly hour: number; count: number }[], hour: number, count: number): void {
  const at = hours.findLastIndex((one) => one.hour <= hour);
  const found = hours[at];
  if (found?.hour === hour) found.count += count;
  else hours.splice(at + 1, 0, { hour, count });
}

function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS);
}

function sum(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}
