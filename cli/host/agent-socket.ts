import { join } from "node:path";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { AdminClient } from "../client.ts";
import { AS_ROOT, isDenied } from "./presence.ts";

export function agentSocket(runDir: string): string {
  return join(runDir, "agent.sock");
}

/** How the agent of this host is; undefined when none runs. Throws `cli.host` when this user may not ask it. */
export async function agentStatus(runDir: string, signal: AbortSignal): Promise<AgentStatus | undefined> {
  return await askAgent<AgentStatus>(runDir, "/status", signal);
}

/** What is wrong with this host, as its agent finds it now; the same. */
export async function agentFindings(
  runDir: string,
  signal: AbortSignal,
): Promise<AgentStatus["problems"] | undefined> {
  return await askAgent<AgentStatus["problems"]>(runDir, "/check", signal);
}

/** What its services ask to have captured, as it says it; the same. */
export async function agentCaptures(runDir: string, signal: AbortSignal): Promise<unknown> {
  return await askAgent<unknown>(runDir, "/capture", signal);
}

async function askAgent<T>(runDir: string, path: string, signal: AbortSignal): Promise<T | undefined> {
  const socketPath = agentSocket(runDir);
  await using agent = new AdminClient({ socketPath });
  try {
    return await agent.get<T>(path, { signal });
  } catch (error) {
    if (signal.aborted || MeshError.from(error).code !== "cli.unreachable") throw error;
    if (!isDenied(error)) return undefined;
    const { cause } = MeshError.from(error);
    throw new MeshError("cli.host", `ask the agent at ${socketPath}: ${messageOf(cause)}`, {
      cause,
      hint: AS_ROOT,
    });
  }
}
