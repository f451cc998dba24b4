import type { ObservedCallsReply, ObservedReply } from "../../mesh/admin-api/observed-replies.ts";
import { listOf } from "../../mesh/admin-api/replies.ts";
import type { CountedCalls } from "../../mesh/calls/call-kind.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import type { HistoryOfWorkload } from "./call-history.ts";
import type { CallTarget } from "./call-target.ts";

/** What was seen since a time, the last first. */
export function toObservedReply(history: readonly HistoryOfWorkload[], sinceMs: number): ObservedReply {
  const items = history.flatMap(({ workload, calls: all }) =>
    all.map((calls) => ({ calls, reply: toObservedCalls(workload, calls) })),
  );
  return {
    ...listOf(items.sort((a, b) => b.calls.lastSeenMs - a.calls.lastSeenMs).map(({ reply }) => reply)),
    since: new Date(sinceMs).toISOString(),
    leftOut: history.reduce((sum, { leftOut }) => sum + leftOut, 0),
  };
}

export function toObservedCalls(
  workload: CallTarget,
  { source, port, firstSeenMs, lastSeenMs, ...calls }: CountedCalls,
): ObservedCallsReply {
  const { protocol, method, host, path, issuer, precision, denied, count } = calls;
  return {
    from: source === "" ? null : source,
    to: workloadId(workload),
    port: workload.ports.find(({ inbound }) => inbound.port === port)?.servicePort ?? port,
    protocol,
    method,
    host,
    path,
    issuer,
    precision,
    denied,
    count,
    firstSeen: new Date(firstSeenMs).toISOString(),
    lastSeen: new Date(lastSeenMs).toISOString(),
  };
}
