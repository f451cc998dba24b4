import { createPrivateKey, sign } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import { possessionStatement } from "../../mesh/identity/possession.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AgentState } from "./agent-state.ts";
import { parseAgentSvid } from "./agent-state.ts";
import { askToJoin } from "./ask-to-join.ts";
import type { ServerChannel } from "./channel.ts";
import type { HostProof } from "./host-proof.ts";
import { exportPrivateKey, generatePrivateKey } from "./private-key.ts";
import { isRefusal, serverSaid } from "./unary-call.ts";

export interface ComeBackOptions {
  readonly channel: Pick<ServerChannel, "client">;
  /** How this host was told to prove itself; undefined: with a token, which is used up. */
  readonly proof: HostProof | undefined;
  readonly nodeName: string;
  readonly agentVersion: string;
  readonly logger: Logger;
}

/** What brings a host back that nothing else does. The token brings the mesh's root along. */
export const JOIN_AGAIN =
  "on the server's host run `lateen token create`, then here `lateen join --force <token>` and restart the agent";

/** Gets an agent whose certificate has expired another one. */
export type ComeBack = (state: AgentState, signal: AbortSignal) => Promise<AgentState>;

/**
 * By the key of the last certificate, as long as the server takes it; then by the proof that the configuration names, if
 * that can be given again. Throws `ca.refused` when neither is taken, `ca.unavailable` when no server answers.
 */
export function comeBackThrough(options: ComeBackOptions): ComeBack {
  const { proof, logger } = options;
  return async (state, signal) => {
    try {
      return await rejoin(state, lastCertificateProof(state), options, signal);
    } catch (error) {
      if (proof?.repeatable !== true || MeshError.from(error).code !== "ca.refused") throw error;
      logger.info("the last certificate is not taken any more: proving anew who this host is", {
        method: proof.method,
      });
      return await rejoin(state, proof, options, signal);
    }
  };
}

async function rejoin(
  state: AgentState,
  proof: HostProof,
  { channel, nodeName, agentVersion }: ComeBackOptions,
  signal: AbortSignal,
): Promise<AgentState> {
  const key = await generatePrivateKey();
  try {
    const question = { proof, key, nodeName, agentVersion };
    const { certChain, agentId } = await askToJoin(channel.client, question, signal);
    const svid = parseAgentSvid(certChain, exportPrivateKey(key), state.trustDomain, agentId);
    return { ...state, agentId, svid };
  } catch (cause) {
    const what = `come back to the mesh by ${proof.method}: ${serverSaid(cause)}`;
    if (!isRefusal(cause)) throw new MeshError("ca.unavailable", what, { cause });
    throw new MeshError("ca.refused", what, {
      cause,
      hint: JOIN_AGAIN,
    });
  }
}

function lastCertificateProof({ svid }: AgentState): HostProof {
  const method = "last-certificate";
  return {
    method,
    purpose: method,
    challenged: true,
    repeatable: true,
    evidence: async (challenge, newPublicKeyDer) => {
      const statement = possessionStatement(method, challenge, newPublicKeyDer);
      const signature = sign("sha256", statement, createPrivateKey(svid.keyPem)).toString("base64");
      return JSON.stringify({ chainPem: svid.chainPem, signature });
    },
  };
}
