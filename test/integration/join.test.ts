import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import type { CertificateAuthority } from "../../controlplane/ca/certificate-authority.ts";
import { MeshError } from "../../mesh/errors.ts";
import { formatJoinToken } from "../../mesh/identity/join-token.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type AgentPort, startAgentPort, stateDirectory } from "../harness/agent-port.ts";

function tokenOf(port: AgentPort): string {
  const { secret } = port.tokens.create({ binding: UNBOUND, ttlMs: 60_000 });
  const { trustDomain, roots } = port.ca.bundle;
  const pin = certificatePin(new X509Certificate(roots[0] ?? ""));
  return formatJoinToken({ addresses: [`127.0.0.1:${port.port}`], trustDomain, pin, secret });
}

const options = (t: TestContext, stateDir: string) => ({
  stateDir,
  nodeName: "vm-1",
  agentVersion: "0.1.0",
  clock: systemClock,
  logger: silentLogger,
  signal: t.signal,
});

/** An authority whose first answer gets lost. */
function lossy(ca: CertificateAuthority): CertificateAuthority {
  let lost = false;
  return {
    bundle: ca.bundle,
    onBundleChange: (listener, signal) => ca.onBundleChange(listener, signal),
    issue: async (request) => {
      if (lost) return ca.issue(request);
      lost = true;
      throw new MeshError("ca.unavailable", "sign");
    },
  };
}

test("a host whose answer got lost joins with the same token, as the same agent, and drops the pending key", async (t) => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using port = await startAgentPort(server.path, { overCa: lossy });
  const token = tokenOf(port);
  const pending = join(host.path, "identity", "joining.json");
  await assert.rejects(joinMesh(invitationOf(token), options(t, host.path)), {
    code: "agent.join",
    hint: /try again/,
  });
  assert.doesNotMatch(await readFile(pending, "utf8"), new RegExp(token.slice(-43)));
  const state = await joinMesh(invitationOf(token), options(t, host.path));
  assert.deepEqual(
    port.agents.list().map(({ id }) => id),
    [state.agentId],
  );
  await assert.rejects(access(pending));
});

test("a pending key is used for the token that it was made for and for no other", async (t) => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using port = await startAgentPort(server.path, { overCa: lossy });
  await assert.rejects(joinMesh(invitationOf(tokenOf(port)), options(t, host.path)));
  const before = JSON.parse(await readFile(join(host.path, "identity", "joining.json"), "utf8"));
  const state = await joinMesh(invitationOf(tokenOf(port)), options(t, host.path));
  assert.notEqual(state.svid.keyPem, before.keyPem);
  assert.equal(port.agents.list().length, 2);
});
