import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import type { CliContext } from "../context.ts";
import { agentStatus } from "./agent-socket.ts";

const LOOK_MS = 50;

/** How a wait for this host's agent ended. */
export type AgentWait<T> =
  | { readonly kind: "done"; readonly answer: T }
  | { readonly kind: "no-agent" }
  | { readonly kind: "timed-out"; readonly last: AgentStatus };

/** Looks at the agent until the question has an answer (not undefined), until none runs, or until it has been too long. */
export async function untilAgent<T>(
  { clock, signal }: Pick<CliContext, "clock" | "signal">,
  { runDir, withinMs }: { readonly runDir: string; readonly withinMs: number },
  ask: (status: AgentStatus) => T | undefined,
): Promise<AgentWait<T>> {
  const patience = clock.monotonic() + withinMs;
  for (;;) {
    const status = await agentStatus(runDir, signal);
    if (status === undefined) return { kind: "no-agent" };
    const answer = ask(status);
    if (answer !== undefined) return { kind: "done", answer };
    if (clock.monotonic() > patience) return { kind: "timed-out", last: status };
    await clock.sleep(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

/** Whether the server knows what this host's files say as far as they are in force. */
export function isAcknowledged({ server }: AgentStatus): boolean {
  return server.registration === "acknowledged";
}

/** Why a server does not know of a change; empty when it is not for the server. */
export function serverAway({ server }: AgentStatus): string {
  return server.connected ? "" : "; the server cannot be reached, and learns of it once it can";
}
