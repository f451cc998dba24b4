import { join } from "node:path";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError } from "../../mesh/errors.ts";
import { AdminClient } from "../client.ts";

/** The agent of this host; calls throw `cli.unreachable` when none runs. */
export function openAgent(runDir: string): AdminClient {
  return new AdminClient(
    { socketPath: join(runDir, "agent.sock") },
    "start the agent (lateen agent), or name its --run-dir",
  );
}

/** How the agent is; undefined when none runs. */
export async function agentStatus(runDir: string, signal: AbortSignal): Promise<AgentStatus | undefined> {
  await using agent = openAgent(runDir);
  try {
    return await agent.get<AgentStatus>("/status", { signal });
  } catch (error) {
    if (MeshError.from(error).code === "cli.unreachable" && !signal.aborted) return undefined;
    throw error;
  }
}
