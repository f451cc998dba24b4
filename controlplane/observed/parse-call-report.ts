import { type CallKind, type CountedCalls, LONGEST } from "../../mesh/calls/call-kind.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";

export interface ReportedCalls {
  readonly workload: WorkloadId;
  readonly calls: readonly CountedCalls[];
  readonly leftOut: number;
}

export interface ParsedCallReport {
  readonly reported: readonly ReportedCalls[];
  readonly refusals: readonly { readonly workload: WorkloadId; readonly reason: string }[];
}

/** As much as an agent reports at once, with some room. */
const MOST_CALLS = 2_000;
const MOST_WORKLOADS = 1_000;
const MOST_COUNTED = 1e12;
const DAY_MS = 86_400_000;
const PROTOCOLS: readonly CallKind["protocol"][] = ["http", "tcp"];
const PRECISIONS: readonly CallKind["precision"][] = ["exact", "start", "rest"];

/**
 * Reads a report that was sent at a time. A workload in whose calls anything is wrong is refused, and the others stand;
 * times that cannot be are brought to ones that can, for clocks differ. Throws `object.invalid` for a report that is too
 * long to be read at all.
 */
export function parseCallReport({ workloads }: wire.CallReport, nowMs: number): ParsedCallReport {
  const total = workloads.reduce((sum, { calls }) => sum + calls.length, 0);
  if (total > MOST_CALLS || workloads.length > MOST_WORKLOADS) {
    throw new MeshError("object.invalid", `read a report of ${total} kinds of calls`, {
      hint: `a report has at most ${MOST_CALLS}, of ${MOST_WORKLOADS} workloads`,
    });
  }
  const reported: ReportedCalls[] = [];
  const refusals: { workload: WorkloadId; reason: string }[] = [];
  for (const { workload, calls, leftOut } of workloads) {
    const problem = isCount(leftOut, 0) ? calls.map(problemOf).find(Boolean) : "leftOut is no count";
    if (problem === undefined) {
      reported.push({ workload, calls: calls.map((call) => toCalls(call, nowMs)), leftOut });
    } else refusals.push({ workload: workload.slice(0, 512), reason: problem });
  }
  return { reported, refusals };
}

function problemOf(call: wire.ObservedCall): string | undefined {
  const texts = ["source", "method", "host", "path", "issuer"] as const;
  const bad = texts.find((field) => call[field].length > LONGEST[field] || !isPlain(call[field]));
  if (bad !== undefined) return `${bad} is too long or has control characters`;
  if (PROTOCOLS.every((one) => one !== call.protocol)) return "protocol must be http or tcp";
  if (PRECISIONS.every((one) => one !== call.precision)) return "precision must be exact, start or rest";
  if (!Number.isInteger(call.port) || call.port < 0 || call.port > 65_535) return "port must be 0 to 65535";
  return isCount(call.count, 1) ? undefined : "count must be a number above 0";
}

function toCalls(call: wire.ObservedCall, nowMs: number): CountedCalls {
  const { source, port, method, host, path, issuer, denied, count } = call;
  const lastSeenMs = Math.min(Math.max(call.lastSeenMs, nowMs - DAY_MS), nowMs);
  const firstSeenMs = Math.min(Math.max(call.firstSeenMs, nowMs - DAY_MS), lastSeenMs);
  const protocol = call.protocol === "tcp" ? "tcp" : "http";
  const precision = PRECISIONS.find((one) => one === call.precision) ?? "rest";
  const kind = { source, port, protocol, method, host, path, issuer, precision, denied } as const;
  return { ...kind, count, firstSeenMs, lastSeenMs };
}

function isCount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= MOST_COUNTED;
}

/** No control characters: these texts end up on terminals. */
function isPlain(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text);
}
