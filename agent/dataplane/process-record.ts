import { rm } from "node:fs/promises";
import * as z from "zod";
import { readPrivate, writePrivate } from "../state/private-files.ts";
import { processStartTime } from "./process-start-time.ts";

const schema = z.object({
  pid: z.number().int().min(2),
  startTime: z.string(),
  nodeId: z.string(),
  kind: z.enum(["envoy", "builtin"]),
  /** Of a program that can put a successor in its place. */
  version: z.string().optional(),
});

/** Which process serves a workload: what the next agent finds when this one was killed. */
export type ProcessRecord = Readonly<z.output<typeof schema>>;

/** The record, if its process still runs. A record that cannot be read is none. */
export async function readRecord(path: string): Promise<ProcessRecord | undefined> {
  try {
    const text = await readPrivate(path);
    const record = text === undefined ? undefined : schema.parse(JSON.parse(text));
    return record !== undefined && processStartTime(record.pid) === record.startTime ? record : undefined;
  } catch {
    return undefined;
  }
}

export async function writeRecord(path: string, record: Omit<ProcessRecord, "startTime">): Promise<void> {
  const startTime = processStartTime(record.pid);
  if (startTime !== undefined) await writePrivate(path, JSON.stringify({ ...record, startTime }));
}

export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true });
}
