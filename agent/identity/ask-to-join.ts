import { createPublicKey, type KeyObject } from "node:crypto";
import type { Client } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import type { JoinResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { HostProof } from "./host-proof.ts";
import { callUnary } from "./unary-call.ts";

export interface JoinQuestion {
  readonly proof: HostProof;
  /** The key that is to be the agent's. */
  readonly key: KeyObject;
  readonly nodeName: string;
  readonly agentVersion: string;
}

/** The server answers within this, also when it has to ask others. */
const TIMEOUT_MS = 15_000;

/** Proves who this host is and gets a certificate for the key. Rejects as `callUnary` does, or with the proof's error. */
export async function askToJoin(
  client: Client,
  { proof, key, nodeName, agentVersion }: JoinQuestion,
  signal: AbortSignal,
): Promise<JoinResponse> {
  const newPublicKeyDer = createPublicKey(key).export({ type: "spki", format: "der" });
  const request = { csr: createCsr(key), nodeName, agentVersion, method: proof.method };
  const ask = (evidence: string, challenge: Buffer): Promise<JoinResponse> =>
    callUnary(client, agentService.join, { ...request, evidence, challenge }, signal, TIMEOUT_MS);
  const none = Buffer.alloc(0);
  const challenge = proof.challenged ? Buffer.from((await ask("", none)).challenge) : none;
  return await ask(await proof.evidence(challenge, newPublicKeyDer, signal), challenge);
}
