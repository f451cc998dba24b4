import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { CallReport, CallReportResult } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import type { CallHistory } from "../observed/call-history.ts";
import { parseCallReport } from "../observed/parse-call-report.ts";
import type { Placements } from "./placements.ts";

interface CallSink {
  readonly placements: Pick<Placements, "get">;
  readonly history: Pick<CallHistory, "add">;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
}

/** Takes in what an agent says of the workloads that are placed on its host now; of others it has nothing to say. */
export function acceptCalls(
  agent: Pick<AgentRecord, "id">,
  report: CallReport,
  { placements, history, clock, log }: CallSink,
): CallReportResult {
  const { reported, refusals } = parseCallReport(report, clock.now());
  const refused = [...refusals];
  for (const { workload, calls, leftOut } of reported) {
    const placed = placements.get(workload);
    if (placed?.agentId === agent.id) history.add(placed, { calls, leftOut });
    else refused.push({ workload: workload.slice(0, 512), reason: "it is not placed on the agent's host" });
  }
  for (const refusal of refused) log.warn("report of calls refused", { agentId: agent.id, ...refusal });
  return { refusals: refused };
}
