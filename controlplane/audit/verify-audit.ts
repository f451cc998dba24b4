import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { auditFiles } from "./audit-files.ts";
import { type ChainHead, EMPTY_CHAIN, hashOf, parseRecord } from "./audit-record.ts";

/** What became of a check. `first` is 0 for an empty log; above 1 when older files have been removed. */
export type AuditVerdict =
  | { readonly ok: true; readonly first: number; readonly head: ChainHead }
  | { readonly ok: false; readonly file: string; readonly line: number; readonly reason: string };

/**
 * Checks that a log is whole: each record follows the one before by number and hash. `expected` is a head that was noted
 * earlier, and that the log must have, so that a log that was cut off or written anew is found out, too.
 */
export async function verifyAudit(directory: string, expected?: ChainHead): Promise<AuditVerdict> {
  const files = auditFiles(directory);
  let [first, head, seen] = [0, EMPTY_CHAIN, expected === undefined];
  for (const file of files) {
    let number = 0;
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: 0 })) {
      number++;
      const broken = (reason: string): AuditVerdict => ({ ok: false, file, line: number, reason });
      const record = parseRecord(line);
      if (record === undefined) return broken("it is no record");
      if (first === 0) {
        first = record.seq;
        head = { seq: record.seq - 1, hash: record.seq === 1 ? EMPTY_CHAIN.hash : record.prev };
      }
      if (record.seq !== head.seq + 1) return broken(`record ${record.seq} follows record ${head.seq}`);
      if (record.prev !== head.hash) return broken(`record ${head.seq} is not the one that it was`);
      head = { seq: record.seq, hash: hashOf(line) };
      if (record.seq !== expected?.seq) continue;
      if (head.hash !== expected.hash) return broken(`record ${head.seq} has another hash than expected`);
      seen = true;
    }
  }
  if (seen) return { ok: true, first, head };
  const reason =
    expected !== undefined && expected.seq < first
      ? `record ${expected.seq} is in a file that has been removed`
      : `the log ends at record ${head.seq}, before record ${expected?.seq ?? 0}`;
  return { ok: false, file: files.at(-1) ?? directory, line: 0, reason };
}
