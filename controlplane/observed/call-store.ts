import { rename } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { CallKind } from "../../mesh/calls/call-kind.ts";
import { messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { inTransaction, openDatabase } from "../store/database.ts";
import { type CallTarget, callTargetSchema } from "./call-target.ts";

/** A number of calls, by the hour since the epoch. */
interface HourCount {
  readonly hour: number;
  readonly count: number;
}

/** Calls of one kind as they are kept. */
export interface KeptCalls {
  readonly kind: CallKind;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly hours: readonly HourCount[];
}

/** What is kept of one workload, or what of that is new. */
export interface KeptWorkload {
  readonly workload: CallTarget;
  readonly calls: readonly KeptCalls[];
  readonly leftOut: readonly HourCount[];
}

const TABLES = `
CREATE TABLE IF NOT EXISTS called_workloads (
  id TEXT PRIMARY KEY,
  workload TEXT NOT NULL,
  left_out TEXT NOT NULL,
  last_hour INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS observed_calls (
  workload TEXT NOT NULL,
  kind TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  hours TEXT NOT NULL,
  PRIMARY KEY (workload, kind)
) STRICT`;

const HOUR_MS = 3_600_000;
/** Rows that are written without a pause: some ten milliseconds. */
const AT_ONCE = 2_000;

const kindSchema = z.tuple([
  z.string(),
  z.number(),
  z.enum(["http", "tcp"]),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.enum(["exact", "start", "rest"]),
  z.boolean(),
]);
const hoursSchema = z.array(z.tuple([z.number().int(), z.number().int().min(0)]));

/**
 * The calls that were observed, in a database file of their own: losing it costs nobody anything, so one that cannot be
 * opened is put aside, and a disk that is full keeps nothing from going on.
 */
export class CallStore implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(TABLES);
  }

  /** A damaged file is moved to `<path>.corrupt-<time>`. Throws `store.failed` when there can be no new one either. */
  static async open(path: string, nowMs: number, logger: Logger): Promise<CallStore> {
    try {
      return new CallStore(openDatabase(path));
    } catch (error) {
      const aside = `${path}.corrupt-${nowMs}`;
      for (const part of ["", "-wal", "-shm"])
        await rename(`${path}${part}`, `${aside}${part}`).catch(() => undefined);
      logger.error("the record of observed calls cannot be read: it begins anew", {
        error: messageOf(error),
        aside,
      });
      return new CallStore(openDatabase(path));
    }
  }

  /** All that is kept; rows that make no sense are passed over. */
  load(): readonly KeptWorkload[] {
    const calls = Map.groupBy(
      this.#database.prepare("SELECT * FROM observed_calls ORDER BY rowid").all(),
      (row) => String(row["workload"]),
    );
    return this.#database
      .prepare("SELECT * FROM called_workloads ORDER BY rowid")
      .all()
      .flatMap((row) => {
        const workload = callTargetSchema.safeParse(parse(row["workload"]));
        const leftOut = hoursOf(row["left_out"]);
        if (!workload.success || leftOut === undefined) return [];
        const kept = (calls.get(String(row["id"])) ?? []).flatMap((one) => keptCalls(one) ?? []);
        return [{ workload: workload.data, calls: kept, leftOut }];
      });
  }

  /** Writes what has changed, some rows at a time. Throws `Error` when the disk does not take it. */
  *save(changed: readonly KeptWorkload[]): Generator<void> {
    for (const { workload, calls, leftOut } of changed) {
      const id = `${workload.namespace}/${workload.name}`;
      const hours = [...leftOut, ...calls.flatMap((one) => one.hours)].map(({ hour }) => hour);
      const putWorkload = this.#database.prepare(
        `INSERT INTO called_workloads (id, workload, left_out, last_hour) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET workload = excluded.workload, left_out = excluded.left_out,
         last_hour = max(last_hour, excluded.last_hour)`,
      );
      putWorkload.run(id, JSON.stringify(workload), textOf(leftOut), Math.max(0, ...hours));
      for (let at = 0; at < calls.length; at += AT_ONCE) {
        inTransaction(this.#database, () => {
          for (const one of calls.slice(at, at + AT_ONCE)) this.#put(id, one);
        });
        yield;
      }
    }
  }

  /** Forgets what was last seen before that hour. */
  forgetBefore(hour: number): void {
    inTransaction(this.#database, () => {
      this.#database.prepare("DELETE FROM observed_calls WHERE last_seen < ?").run(hour * HOUR_MS);
      this.#database.prepare("DELETE FROM called_workloads WHERE last_hour < ?").run(hour);
    });
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #put(id: string, { kind, firstSeenMs, lastSeenMs, hours }: KeptCalls): void {
    const { source, port, protocol, method, host, path, issuer, precision, denied } = kind;
    const key = JSON.stringify([source, port, protocol, method, host, path, issuer, precision, denied]);
    this.#database
      .prepare(
        `INSERT INTO observed_calls (workload, kind, first_seen, last_seen, hours) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (workload, kind) DO UPDATE SET first_seen = excluded.first_seen,
         last_seen = excluded.last_seen, hours = excluded.hours`,
      )
      .run(id, key, firstSeenMs, lastSeenMs, textOf(hours));
  }
}

function keptCalls(row: Readonly<Record<string, unknown>>): KeptCalls | undefined {
  const parsed = kindSchema.safeParse(parse(row["kind"]));
  const hours = hoursOf(row["hours"]);
  if (!parsed.success || hours === undefined) return undefined;
  const [source, port, protocol, method, host, path, issuer, precision, denied] = parsed.data;
  return {
    kind: { source, port, protocol, method, host, path, issuer, precision, denied },
    firstSeenMs: Number(row["first_seen"]),
    lastSeenMs: Number(row["last_seen"]),
    hours,
  };
}

function textOf(hours: readonly HourCount[]): string {
  return JSON.stringify(hours.map(({ hour, count }) => [hour, count]));
}

function hoursOf(text: unknown): HourCount[] | undefined {
  const parsed = hoursSchema.safeParse(parse(text));
  return parsed.success ? parsed.data.map(([hour, count]) => ({ hour, count })) : undefined;
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
