import { open } from "node:fs/promises";
import { auditFiles } from "./audit-files.ts";
import { type AuditRecord, parseRecord } from "./audit-record.ts";

const CHUNK_BYTES = 256 * 1024;
/** However long the records are. */
const MOST_BYTES = 8 * 1024 * 1024;

/** The newest records of a log, oldest first; fewer than asked for where they are very long or a file has just begun. */
export async function readTail(directory: string, count: number): Promise<readonly AuditRecord[]> {
  let records: readonly AuditRecord[] = [];
  for (const path of auditFiles(directory).slice(-2).toReversed()) {
    const wanted = count - records.length;
    if (wanted > 0) records = [...(await lastRecords(path, wanted)), ...records];
  }
  return records;
}

async function lastRecords(path: string, count: number): Promise<readonly AuditRecord[]> {
  await using file = await open(path, "r");
  let start = (await file.stat()).size;
  let bytes = Buffer.alloc(0);
  while (start > 0 && bytes.length < MOST_BYTES && countLines(bytes) <= count) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, start));
    start -= chunk.length;
    await file.read(chunk, 0, chunk.length, start);
    bytes = Buffer.concat([chunk, bytes]);
  }
  const lines = bytes.toString("utf8").split("\n");
  // The first may have been cut by the chunk, the last is what a record is being written into.
  const whole = lines.slice(start === 0 ? 0 : 1, -1);
  return whole.flatMap((line) => parseRecord(line) ?? []).slice(-count);
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
