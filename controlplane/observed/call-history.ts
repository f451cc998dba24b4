import { setImmediate } from "node:timers/promises";
import type { CallKind, CountedCalls } from "../../mesh/calls/call-kind.ts";
import { CALL_LIMITS, CallTable } from "../../mesh/calls/call-table.ts";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { CallStore, KeptWorkload } from "./call-store.ts";
import { type CallTarget, callTarget } from "./call-target.ts";
import type { ReportedCalls } from "./parse-call-report.ts";

/** Calls that came to a workload. */
export interface HistoryOfWorkload {
  /** As it was when it was last called. */
  readonly workload: CallTarget;
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
  workload: CallTarget;
  readonly table: CallTable<Entry>;
  readonly leftOut: { readonly hour: number; count: number }[];
  /** Not on disk yet. */
  readonly unsaved: Set<Entry>;
}

/** Where the history is between two runs of the server; without it, it is in memory alone. */
export interface CallKeeping {
  readonly store: Pick<CallStore, "load" | "save" | "forgetBefore">;
  readonly logger: Logger;
}

const HOUR_MS = 3_600_000;
export const KEPT_HOURS = 24;
/** Kinds of calls in the whole mesh: about 100 MB. */
const MOST_ENTRIES = 200_000;
/** Kinds of calls to one workload. */
const LIMITS = { ...CALL_LIMITS, sources: 1_000 };

/** What is seen within this time before the server is killed may be lost. */
const SAVE_EVERY_MS = 60_000;

/**
 * The calls of the last 24 hours, as agents reported them: in memory, bounded for each caller of each workload and in all,
 * and on disk each minute and at the end.
 */
export class CallHistory {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  readonly #mostEntries: number;
  readonly #keeping: CallKeeping | undefined;
  readonly #byWorkload = new Map<WorkloadId, Called>();
  #unsaved = new Set<Called>();
  #entries = 0;

  constructor(clock: Pick<Clock, "now" | "sleep">, mostEntries = MOST_ENTRIES, keeping?: CallKeeping) {
    this.#clock = clock;
    this.#mostEntries = mostEntries;
    this.#keeping = keeping;
    for (const kept of keeping?.store.load() ?? []) this.#restore(kept);
    this.forgetOld();
  }

  /** Kinds of calls that are kept. */
  get size(): number {
    return this.#entries;
  }

  add(workload: CallTarget, { calls, leftOut }: Pick<ReportedCalls, "calls" | "leftOut">): void {
    const called = this.#called(workload);
    called.workload = callTarget(workload);
    this.#unsaved.add(called);
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

  /** Forgets what is too old and keeps what is new, until the signal is aborted and the last of it is on disk. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(SAVE_EVERY_MS, signal);
      this.forgetOld();
      await this.save();
    }
  }

  /** One round of `run`. What cannot be written stays in memory, and is written with the next. */
  async save(): Promise<void> {
    if (this.#keeping === undefined) return;
    const { store, logger } = this.#keeping;
    const unsaved = [...this.#unsaved];
    this.#unsaved = new Set();
    try {
      store.forgetBefore(this.#firstHour + 1);
      // Others have their turn between the parts.
      for (const _ of store.save(unsaved.map(toKept))) await setImmediate();
    } catch (error) {
      for (const called of unsaved) {
        for (const entry of called.table.values()) called.unsaved.add(entry);
        this.#unsaved.add(called);
      }
      logger.warn("observed calls could not be kept on disk, trying again", { error: messageOf(error) });
    }
  }

  get #firstHour(): number {
    return hourOf(this.#clock.now()) - KEPT_HOURS;
  }

  /** One round of `run`. */
  forgetOld(): void {
    const first = this.#firstHour;
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

  #restore({ workload, calls, leftOut }: KeptWorkload): void {
    const called = this.#called(workload);
    called.leftOut.push(...leftOut.map((one) => ({ ...one })));
    for (const { kind, firstSeenMs, lastSeenMs, hours } of calls) {
      const before = called.table.size;
      const entry = this.#entries >= this.#mostEntries ? undefined : called.table.at(kind);
      this.#entries += called.table.size - before;
      if (entry === undefined) continue;
      entry.firstSeenMs = Math.min(entry.firstSeenMs, firstSeenMs);
      entry.lastSeenMs = Math.max(entry.lastSeenMs, lastSeenMs);
      for (const { hour, count } of hours) countIn(entry.hours, hour, count);
    }
  }

  #called(workload: CallTarget): Called {
    const id = workloadId(workload);
    const known = this.#byWorkload.get(id);
    if (known !== undefined) return known;
    const table = new CallTable<Entry>(newEntry, LIMITS);
    const called: Called = { workload: callTarget(workload), table, leftOut: [], unsaved: new Set() };
    this.#byWorkload.set(id, called);
    return called;
  }

  #addCalls({ table, unsaved }: Called, { count, firstSeenMs, lastSeenMs, ...kind }: CountedCalls): boolean {
    const before = table.size;
    // A full history goes on counting what it has, and takes in nothing new.
    const entry = this.#entries >= this.#mostEntries ? table.find(kind) : table.at(kind);
    this.#entries += table.size - before;
    if (entry === undefined) return false;
    entry.firstSeenMs = Math.min(entry.firstSeenMs, firstSeenMs);
    entry.lastSeenMs = Math.max(entry.lastSeenMs, lastSeenMs);
    countIn(entry.hours, hourOf(lastSeenMs), count);
    unsaved.add(entry);
    return true;
  }
}

function newEntry(kind: CallKind): Entry {
  return { kind, firstSeenMs: Number.POSITIVE_INFINITY, lastSeenMs: 0, hours: [] };
}

/** What is new of a workload, which is on its way to the disk then. */
function toKept({ workload, leftOut, unsaved }: Called): KeptWorkload {
  const calls = [...unsaved].filter(({ hours }) => hours.length > 0);
  unsaved.clear();
  return { workload, calls, leftOut };
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
