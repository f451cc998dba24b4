import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type ProcessRecord, readRecord, removeRecord } from "./process-record.ts";
import { adoptProcess } from "./proxy-process.ts";
import { stopProcess } from "./stop-process.ts";

/** The data planes that agents before this one left running, by the path of their record. */
export async function readRecords(runDir: string): Promise<ReadonlyMap<string, ProcessRecord>> {
  const records = new Map<string, ProcessRecord>();
  for (const entry of await readdir(runDir, { withFileTypes: true })) {
    const path = join(runDir, entry.name, "process.json");
    const record = entry.isDirectory() ? await readRecord(path) : undefined;
    if (record !== undefined) records.set(path, record);
  }
  return records;
}

/** Stops what was left running for workloads that are gone: all but those whose record is in `keep`. */
export async function stopStaleProcesses(
  runDir: string,
  keep: ReadonlySet<string>,
  clock: Clock,
): Promise<readonly number[]> {
  const stopped: number[] = [];
  for (const [path, { pid, startTime }] of await readRecords(runDir)) {
    if (keep.has(path)) continue;
    const gone = new AbortController();
    await stopProcess(adoptProcess(pid, startTime, clock, gone.signal), clock);
    gone.abort();
    await removeRecord(path);
    stopped.push(pid);
  }
  return stopped;
}
