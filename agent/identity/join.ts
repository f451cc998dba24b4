import { hostname } from "node:os";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JoinResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { ensurePrivateDir } from "../state/private-files.ts";
import { type AgentState, parseAgentSvid, readAgentState, writeAgentState } from "./agent-state.ts";
import { askToJoin, type JoinQuestion } from "./ask-to-join.ts";
import { ServerChannel } from "./channel.ts";
import type { Invitation } from "./invitation.ts";
import { dropPendingKey, pendingKey } from "./pending-key.ts";
import { fetchPinnedRoot } from "./pinned-root.ts";
import { exportPrivateKey } from "./private-key.ts";
import { NO_JWT_KEYS, writeTrustBundle } from "./trust-bundle.ts";
import { isRefusal, serverSaid } from "./unary-call.ts";

export interface JoinOptions {
  readonly stateDir: string;
  /** The host's name unless given. */
  readonly nodeName?: string;
  readonly agentVersion: string;
  /** Joins again although there is an identity: the old one is forgotten. */
  readonly force?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes this host an agent: finds the server by its pinned CA, sends a new key's public half with the proof, and keeps
 * what comes back in the state directory. Throws `agent.join` or `agent.state`; then nothing was changed here but that
 * the key is kept for the next attempt: what was used up by this one is still good for that key for a minute.
 */
export async function joinMesh(invitation: Invitation, options: JoinOptions): Promise<AgentState> {
  const { stateDir } = options;
  const { addresses, trustDomain, proof } = invitation;
  await ensurePrivateDir(stateDir);
  await ensurePrivateDir(join(stateDir, "identity"));
  if (options.force !== true) await assertNotJoined(options);

  const { address, root } = await findRoot(invitation, options.signal);
  const key = await pendingKey(stateDir, proof.purpose);
  const nodeName = options.nodeName ?? hostname();
  const question = { proof, key, nodeName, agentVersion: options.agentVersion };
  const response = await ask(question, { address, trustDomain, root }, options);
  const svid = checkResponse(response, trustDomain, exportPrivateKey(key));
  const state: AgentState = { agentId: response.agentId, trustDomain, servers: addresses, svid };
  await writeTrustBundle(stateDir, firstBundle(trustDomain, root));
  await writeAgentState(stateDir, state);
  await dropPendingKey(stateDir);
  options.logger.info("joined the mesh", { agent: state.agentId, trustDomain, method: proof.method });
  return state;
}

/** What the token pins, until the server has told more. */
function firstBundle(trustDomain: TrustDomain, root: string): TrustBundle {
  return {
    trustDomain,
    roots: [root],
    crls: [],
    retiring: [],
    renewWithinMs: 0,
    jwtKeys: NO_JWT_KEYS,
    sequence: 0,
  };
}

async function assertNotJoined({ stateDir, clock }: JoinOptions): Promise<void> {
  const state = await readAgentState(stateDir, clock.now());
  if (state === undefined) return;
  throw new MeshError(
    "agent.join",
    `join the mesh: this host has joined already, as agent ${state.agentId}`,
    {
      hint: "start it with `lateen agent`; to join anew, use --force",
    },
  );
}

/** The first server that answers with the pinned CA; what went wrong with the last one when none does. */
async function findRoot(
  { addresses, pin }: Invitation,
  signal: AbortSignal,
): Promise<{ readonly address: string; readonly root: string }> {
  let failure: unknown;
  for (const address of addresses) {
    try {
      return { address, root: await fetchPinnedRoot(address, pin, signal) };
    } catch (error) {
      failure = error;
    }
  }
  throw MeshError.from(failure, "agent.join");
}

async function ask(
  question: JoinQuestion,
  server: { readonly address: string; readonly trustDomain: TrustDomain; readonly root: string },
  { clock, logger, signal }: JoinOptions,
): Promise<JoinResponse> {
  const channel = new ServerChannel({
    addresses: [server.address],
    trustDomain: server.trustDomain,
    identity: () => ({ roots: [server.root], certificate: undefined }),
    clock,
    logger,
    random: () => 0,
  });
  const stop = new AbortController();
  const running = channel.run(stop.signal);
  try {
    return await askToJoin(channel.client, question, signal);
  } catch (error) {
    throw joinError(error, question.proof.method);
  } finally {
    stop.abort();
    await running;
  }
}

function joinError(error: unknown, method: string): MeshError {
  if (error instanceof MeshError) return error;
  if (!isRefusal(error)) {
    return new MeshError("agent.join", `join the mesh: ${serverSaid(error)}`, {
      cause: error,
      hint: "look at the server's log, and try again: what the server took is good for this host for another minute",
    });
  }
  if (method === "join-token") {
    return new MeshError("agent.join", "join the mesh: the server refused the token", {
      hint:
        "a token is good once and for a short time (15 minutes by default), and may be bound to a node name or to " +
        "addresses; make a new one on the server with `lateen token create`",
    });
  }
  return new MeshError("agent.join", `join the mesh: the server refused this host's proof (${method})`, {
    hint: "the server's log says why; is the method allowed there, in `attest` of server.yaml?",
  });
}

function checkResponse(response: JoinResponse, trustDomain: TrustDomain, keyPem: string): X509Svid {
  try {
    if (response.trustDomain !== trustDomain) {
      throw new MeshError("identity.invalid", `it is of trust domain ${response.trustDomain}`);
    }
    return parseAgentSvid(response.certChain, keyPem, trustDomain, response.agentId);
  } catch (cause) {
    throw new MeshError(
      "agent.join",
      "join the mesh: the server's answer is not a certificate for this agent",
      {
        cause,
        hint: "look at the server's log",
      },
    );
  }
}
