import { createHash } from "node:crypto";

/** Something that happened and that somebody may have to answer for. Never a secret. */
export interface AuditEvent {
  /** What it was: `POST /v1/apply`, `join`, `certificate`, `ban`, … */
  readonly action: string;
  /** `attempted` is written before a change is made, one of the others once it is known how it ended. */
  readonly outcome: "attempted" | "done" | "refused" | "failed";
  /** Who did it: `access-token:ci`, `agent:1234`. */
  readonly actor: string;
  /** Where it came from, for callers over the network. */
  readonly from?: string | undefined;
  /** What is particular to the action. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** An event in its place in the log: each record names the hash of the one before. */
export interface AuditRecord extends AuditEvent {
  /** Counts from 1, without a gap. */
  readonly seq: number;
  /** RFC 3339. */
  readonly at: string;
  /** SHA-256 of the line before, hex; of nothing, for the first. */
  readonly prev: string;
}

/** The end of a log: what the next record goes on from. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export const EMPTY_CHAIN: ChainHead = { seq: 0, hash: hashOf("") };

/** A record as its line, without the line feed, and the head that it makes. */
export function chained(
  head: ChainHead,
  event: AuditEvent,
  atMs: number,
): { readonly line: string; readonly head: ChainHead } {
  const { action, outcome, actor, from, details } = event;
  const seq = head.seq + 1;
  const at = new Date(atMs).toISOString();
  const line = JSON.stringify({ seq, at, action, outcome, actor, from, details, prev: head.hash });
  return { line, head: { seq, hash: hashOf(line) } };
}

/** Undefined for what is not a record's line. */
export function parseRecord(line: string): AuditRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditRecord> | null;
    const fits =
      Number.isSafeInteger(value?.seq) && typeof value?.prev === "string" && typeof value.at === "string";
    return fits ? (value as AuditRecord) : undefined;
  } catch {
    return undefined;
  }
}

export function hashOf(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}
