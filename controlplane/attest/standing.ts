import { messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AgentRecord } from "./agent-records.ts";
import type { Attestor, Verdict } from "./attestor.ts";

/** Whether what an agent was attested for is still so. */
export type StandingOf = (agent: AgentRecord, signal: AbortSignal) => Promise<Verdict>;

/**
 * Asks the method that the agent came by. When who decides cannot be asked, or the method is not allowed any more, an
 * agent keeps what it has: an outage takes nothing away, and who is to go is banned.
 */
export function standingOf(attestors: readonly Attestor[], log: Logger): StandingOf {
  const byMethod = new Map(attestors.map((attestor) => [attestor.properties.method, attestor]));
  return async (agent, signal) => {
    const { method } = agent.attested;
    const attestor = byMethod.get(method);
    try {
      return (await attestor?.stillHolds?.(agent, signal)) ?? { ok: true };
    } catch (error) {
      log.warn("could not ask whether an agent's attestation still holds: it goes on", {
        agentId: agent.id,
        method,
        error: messageOf(error),
      });
      return { ok: true };
    }
  };
}
