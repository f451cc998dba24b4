import { MeshError, messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { VERSION } from "../../mesh/version.ts";
import { type AgentState, readAgentState } from "./agent-state.ts";
import { configuredInvitation } from "./invitation.ts";
import { joinMesh } from "./join.ts";
import type { JoinConfig } from "./join-config.ts";
import type { Environment } from "./proofs/secret-source.ts";

interface JoinedStateOptions {
  readonly stateDir: string;
  readonly nodeName: string;
  readonly servers: readonly string[];
  readonly join?: JoinConfig | undefined;
}

const RETRY = { firstMs: 500, maxMs: 20_000 } as const;

/**
 * Who this agent is: from disk, or by joining as the configuration says. An allocation may not count as running yet and
 * a server may be away, so a join that fails is tried again, until the signal is aborted (then: undefined). Throws
 * `agent.join` when the host has not joined and is not told how.
 */
export async function joinedState(
  config: JoinedStateOptions,
  environment: Environment,
  {
    clock,
    logger,
    random,
    signal,
  }: { clock: Clock; logger: Logger; random: () => number; signal: AbortSignal },
): Promise<AgentState | undefined> {
  const { stateDir, nodeName, servers, join } = config;
  const state = await readAgentState(stateDir, clock.now());
  if (state !== undefined) return state;
  if (join === undefined) {
    throw new MeshError("agent.join", `start the agent: this host has not joined a mesh (${stateDir})`, {
      hint: "run `lateen join <token>` first, with a token from `lateen token create` on the server",
    });
  }
  const invitation = configuredInvitation(join, servers, environment);
  const options = { stateDir, nodeName, agentVersion: VERSION, clock, logger, signal };
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      return await joinMesh(invitation, options);
    } catch (error) {
      const { code, hint } = MeshError.from(error);
      if (code !== "agent.join") throw error;
      const delayMs = backoffMs(RETRY, attempt, random());
      if (!signal.aborted) {
        logger.warn("could not join the mesh, trying again", {
          error: messageOf(error),
          code,
          hint,
          delayMs,
        });
        await clock.sleep(delayMs, signal);
      }
    }
  }
  return undefined;
}
