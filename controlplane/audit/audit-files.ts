import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { type ChainHead, EMPTY_CHAIN, hashOf, parseRecord } from "./audit-record.ts";

const NAME = /^audit-(\d{12})\.jsonl$/;
/** A record is far smaller: this much of a file's end has its last line. */
const TAIL_BYTES = 1024 * 1024;

/** The files of a log, oldest first: each is named for the number of its first record. */
export function auditFiles(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(directory, name));
}

export function auditFileName(firstSeq: number): string {
  return `audit-${String(firstSeq).padStart(12, "0")}.jsonl`;
}

export interface LogEnd {
  readonly head: ChainHead;
  /** Bytes of a record that was being written when the server was killed; they have been taken off. */
  readonly cutOff: number;
}

/**
 * Finds where a log goes on, and takes off what is left of a record that never was finished. Throws `store.failed` when its end
 * is no record: somebody has written into it.
 */
export function findEnd(path: string): LogEnd {
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, size - tail.length);
    const complete = tail.lastIndexOf("\n") + 1;
    const cutOff = tail.length - complete;
    if (cutOff > 0) ftruncateSync(file, size - cutOff);
    const lines = tail.toString("utf8", 0, complete).split("\n");
    return { head: headOf(lines.at(-2), path), cutOff };
  } finally {
    closeSync(file);
  }
}

function headOf(lastLine: string | undefined, path: string): ChainHead {
  if (lastLine === undefined) return EMPTY_CHAIN;
  const record = parseRecord(lastLine);
  if (record !== undefined) return { seq: record.seq, hash: hashOf(lastLine) };
  throw new MeshError("store.failed", `go on with the audit log ${path}: its last line is no record of it`, {
    hint: "lateen audit verify tells where it is broken; move the file away to begin a new log",
  });
}
