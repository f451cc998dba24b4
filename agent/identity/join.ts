import { hostname } from "node:os";
import { join } from "node:path";
import { agentService } from "../../mesh/agent-api/services.ts";
import { MeshError } from "../../mesh/errors.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import { type JoinToken, parseJoinToken } from "../../mesh/identity/join-token.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JoinResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { ensurePrivateDir } from "../state/private-files.ts";
import { type AgentState, parseAgentSvid, readAgentState, writeAgentState } from "./agent-state.ts";
import { ServerChannel } from "./channel.ts";
import { fetchPinnedRoot } from "./pinned-root.ts";
import { exportPrivateKey, generatePrivateKey } from "./private-key.ts";
import { writeTrustBundle } from "./trust-bundle.ts";
import { callUnary, isRefusal, serverSaid } from "./unary-call.ts";

export interface JoinOptions {
  /** The token's text. It is in no log line and in no error. */
  readonly token: string;
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
 * Makes this host an agent: finds the server by its pinned CA, sends a new key's public half with the token's secret,
 * and keeps what comes back in the state directory. Throws `agent.join` or `agent.state`; then nothing was changed here.
 */
export async function joinMesh(options: JoinOptions): Promise<AgentState> {
  const token = parseJoinToken(options.token);
  await ensurePrivateDir(options.stateDir);
  await ensurePrivateDir(join(options.stateDir, "identity"));
  if (options.force !== true) await assertNotJoined(options);

  const { address, root } = await findRoot(token, options.signal);
  const key = await generatePrivateKey();
  const keyPem = exportPrivateKey(key);
  const response = await askToJoin(token, address, root, createCsr(key), options);
  const state: AgentState = {
    agentId: response.agentId,
    trustDomain: token.trustDomain,
    servers: token.addresses,
    svid: checkResponse(response, token, keyPem),
  };
  await writeTrustBundle(options.stateDir, firstBundle(token.trustDomain, root));
  await writeAgentState(options.stateDir, state);
  options.logger.info("joined the mesh", { agent: state.agentId, trustDomain: state.trustDomain });
  return state;
}

/** What the token pins, until the server has told more. */
function firstBundle(trustDomain: TrustDomain, root: string): TrustBundle {
  return { trustDomain, roots: [root], crls: [], retiring: [], renewWithinMs: 0, sequence: 0 };
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
  token: JoinToken,
  signal: AbortSignal,
): Promise<{ readonly address: string; readonly root: string }> {
  let failure: unknown;
  for (const address of token.addresses) {
    try {
      return { address, root: await fetchPinnedRoot(address, token.pin, signal) };
    } catch (error) {
      failure = error;
    }
  }
  throw MeshError.from(failure, "agent.join");
}

async function askToJoin(
  token: JoinToken,
  address: string,
  root: string,
  csr: string,
  options: JoinOptions,
): Promise<JoinResponse> {
  const channel = new ServerChannel({
    addresses: [address],
    trustDomain: token.trustDomain,
    identity: () => ({ roots: [root], certificate: undefined }),
    clock: options.clock,
    logger: options.logger,
    random: () => 0,
  });
  const stop = new AbortController();
  const running = channel.run(stop.signal);
  try {
    return await callUnary(
      channel.client,
      agentService.join,
      {
        tokenSecret: token.secret,
        csr,
        nodeName: options.nodeName ?? hostname(),
        agentVersion: options.agentVersion,
      },
      options.signal,
    );
  } catch (error) {
    throw joinError(error);
  } finally {
    stop.abort();
    await running;
  }
}

function joinError(error: unknown): MeshError {
  if (!isRefusal(error)) {
    return new MeshError("agent.join", `join the mesh: ${serverSaid(error)}`, {
      cause: error,
      hint: "look at the server's log, and try again: the token is still good if the server did not take it",
    });
  }
  return new MeshError("agent.join", "join the mesh: the server refused the token", {
    hint:
      "a token is good once and for a short time (15 minutes by default), and may be bound to a node name; " +
      "make a new one on the server with `lateen token create`",
  });
}

function checkResponse(response: JoinResponse, token: JoinToken, keyPem: string): X509Svid {
  try {
    if (response.trustDomain !== token.trustDomain) {
      throw new MeshError("identity.invalid", `it is of trust domain ${response.trustDomain}`);
    }
    return parseAgentSvid(response.certChain, keyPem, token.trustDomain, response.agentId);
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
