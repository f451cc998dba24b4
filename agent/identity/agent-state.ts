import { join } from "node:path";
import * as z from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { agentSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain, type TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { parseX509Svid, type X509Svid } from "../../mesh/identity/x509-svid.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";

/** Who this agent is: what joining gave it. */
export interface AgentState {
  readonly agentId: string;
  readonly trustDomain: TrustDomain;
  /** `host:port` of the servers that the token named. */
  readonly servers: readonly string[];
  readonly svid: X509Svid;
}

const schema = z.object({
  agentId: z.string(),
  trustDomain: z.string(),
  servers: z.array(z.string()).min(1),
  chainPem: z.string(),
  keyPem: z.string(),
});

/** One file, so that key and certificate are always of one piece. */
export function agentStatePath(stateDir: string): string {
  return join(stateDir, "identity", "agent.json");
}

/**
 * Reads who this agent is; undefined when it never joined. Throws `agent.state` when others can read the key, or when
 * the file is damaged: then it is put aside.
 */
export async function readAgentState(stateDir: string, now: number): Promise<AgentState | undefined> {
  const path = agentStatePath(stateDir);
  const text = await readPrivate(path);
  if (text === undefined) return undefined;
  try {
    return parseAgentState(text);
  } catch (cause) {
    const aside = await quarantine(path, now);
    throw new MeshError("agent.state", `read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: `it was moved to ${aside}; join again with a new token from \`lateen token create\``,
    });
  }
}

export async function writeAgentState(stateDir: string, state: AgentState): Promise<void> {
  const { agentId, trustDomain, servers, svid } = state;
  const { chainPem, keyPem } = svid;
  await writePrivate(
    agentStatePath(stateDir),
    JSON.stringify({ agentId, trustDomain, servers, chainPem, keyPem }),
  );
}

/** Puts together an agent's SVID. Throws `identity.invalid` when it is not this very agent's. */
export function parseAgentSvid(
  chain: string | readonly string[],
  keyPem: string,
  trustDomain: TrustDomain,
  agentId: string,
): X509Svid {
  const svid = parseX509Svid({ chain, keyPem, trustDomain });
  const wanted = agentSpiffeId(trustDomain, agentId);
  if (svid.spiffeId === wanted) return svid;
  throw new MeshError("identity.invalid", `take a certificate for ${wanted}: it is of ${svid.spiffeId}`);
}

function parseAgentState(text: string): AgentState {
  const { agentId, servers, chainPem, keyPem, ...rest } = schema.parse(JSON.parse(text));
  const trustDomain = parseTrustDomain(rest.trustDomain);
  return { agentId, trustDomain, servers, svid: parseAgentSvid(chainPem, keyPem, trustDomain, agentId) };
}
