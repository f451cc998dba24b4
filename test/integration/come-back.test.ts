import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { AgentIdentity } from "../../agent/identity/agent-identity.ts";
import { type AgentState, readAgentState } from "../../agent/identity/agent-state.ts";
import { issueFrom } from "../../agent/identity/certificates.ts";
import { ServerChannel } from "../../agent/identity/channel.ts";
import { comeBackThrough } from "../../agent/identity/come-back.ts";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import { formatJoinToken } from "../../mesh/identity/join-token.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type AgentPort, startAgentPort, stateDirectory } from "../harness/agent-port.ts";
import { eventually } from "../harness/eventually.ts";

const DAY = 86_400_000;
const seams = { clock: systemClock, logger: silentLogger, random: () => 0 };

/** Lives long enough to be joined with and has expired a moment later. */
const SHORT = { lifetimes: { agentMs: 1_000, minMs: 1_000 } };

async function joined(port: AgentPort, stateDir: string): Promise<AgentState> {
  const { secret } = port.tokens.create({ binding: UNBOUND, ttlMs: 60_000 });
  const { trustDomain, roots } = port.ca.bundle;
  const pin = certificatePin(new X509Certificate(roots[0] ?? ""));
  const addresses = [`127.0.0.1:${port.port}`];
  const invitation = invitationOf(formatJoinToken({ addresses, trustDomain, pin, secret }));
  const signal = AbortSignal.timeout(10_000);
  return joinMesh(invitation, { ...seams, stateDir, nodeName: "vm-1", agentVersion: "0.1.0", signal });
}

/** The agent's part that keeps its own certificate, running. */
function keepIdentity(
  port: AgentPort,
  state: AgentState,
  stateDir: string,
): AsyncDisposable & { readonly identity: AgentIdentity } {
  const identity = new AgentIdentity({ ...seams, state, stateDir });
  const channel = new ServerChannel({
    ...seams,
    addresses: [`127.0.0.1:${port.port}`],
    trustDomain: state.trustDomain,
    identity: () => ({ roots: port.ca.bundle.roots, certificate: identity.current.svid }),
  });
  identity.changes.subscribe(() => channel.renew());
  const names = { nodeName: "vm-1", agentVersion: "0.1.0", logger: silentLogger };
  const comeBack = comeBackThrough({ channel, proof: undefined, ...names });
  const stop = new AbortController();
  const running = Promise.all([
    identity.run(issueFrom(channel), comeBack, stop.signal),
    channel.run(stop.signal),
  ]);
  return {
    identity,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

const expiry = (state: AgentState): Promise<void> =>
  systemClock.sleep(state.svid.notAfterMs - Date.now() + 50, AbortSignal.timeout(5_000));

test("a host that slept for a week comes back by itself, as the agent that it was, with a new key", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  let state: AgentState;
  {
    // All that is issued here is issued a week ago; the server's own certificate lives on until today.
    const clock = { ...systemClock, now: () => systemClock.now() - 7 * DAY + 60_000 };
    const lifetimes = { ...SHORT.lifetimes, serverMs: 8 * DAY, maxMs: 8 * DAY };
    await using port = await startAgentPort(server.path, { clock, lifetimes });
    state = await joined(port, host.path);
  }
  assert.ok(Date.now() - state.svid.notAfterMs > 6.9 * DAY);
  await using port = await startAgentPort(server.path);
  await using kept = keepIdentity(port, state, host.path);
  await eventually("another certificate", () => kept.identity.current.svid.serial !== state.svid.serial);
  const now = await eventually("it on disk", async () => {
    const read = await readAgentState(host.path, 0);
    return read?.svid.serial !== state.svid.serial && read;
  });
  assert.equal(now.agentId, state.agentId);
  assert.notEqual(now.svid.keyPem, state.svid.keyPem);
  assert.equal(port.agents.list().length, 1);
  assert.equal(port.agents.get(state.agentId)?.serial, now.svid.serial);
});

for (const { name, graceMs, ban, late } of [
  { name: "that is banned", graceMs: 7 * DAY, ban: true, late: 0 },
  { name: "that comes after the window", graceMs: DAY, ban: false, late: DAY + 60_000 },
]) {
  test(`an agent ${name} does not come back, and the log says why`, async () => {
    await using server = await stateDirectory();
    await using host = await stateDirectory();
    const clock = { ...systemClock, now: () => systemClock.now() + ahead };
    let ahead = 0;
    await using port = await startAgentPort(server.path, { ...SHORT, clock, graceMs });
    const state = await joined(port, host.path);
    await expiry(state);
    ahead = late;
    if (ban) port.agents.setBanned(state.agentId, true);
    await using kept = keepIdentity(port, state, host.path);
    const line = await eventually("a refusal", () =>
      port.log.find(({ message }) => message === "join refused"),
    );
    assert.match(String(line["reason"]), ban ? /banned/ : /expired/);
    assert.equal(kept.identity.current.svid.serial, state.svid.serial);
  });
}
