import type { policyLog } from "../../mesh/calls/policy-log.ts";
import type { CallLog } from "./access-log/call-log.ts";
import type { CompiledLogs } from "./access-log/compiled-logs.ts";
import { decidedCall, decisionOf, type TrafficObserver, type TrafficRecord } from "./records.ts";

/** Tells metrics, the log of policies, the agent's log of calls and access logs of what passes. */
export function observeTraffic(
  metrics: TrafficObserver,
  logPolicy: ReturnType<typeof policyLog>,
  calls: Pick<CallLog, "http" | "tcp">,
): TrafficObserver {
  return {
    policyMatched(record) {
      metrics.policyMatched(record);
      const decision = decisionOf(record);
      if (decision !== undefined) logPolicy(decision, decidedCall(record));
    },
    httpDone(record, durationMs, logs) {
      metrics.httpDone(record, durationMs, logs);
      if (logs.calls) calls.http(record);
      write(record, durationMs, logs);
    },
    tcpRefused(ends, logs) {
      if (logs.calls) calls.tcp(ends, "rbac_access_denied");
    },
    tcpOpened: (record) => metrics.tcpOpened(record),
    tcpDone(record, durationMs, logs) {
      metrics.tcpDone(record, durationMs, logs);
      if (logs.calls) calls.tcp(record.ends, "");
      write(record, durationMs, logs);
    },
  };
}

function write(record: TrafficRecord, durationMs: number, { writers }: CompiledLogs): void {
  for (const writer of writers) writer(record, durationMs);
}
