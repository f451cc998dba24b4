import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { agentService, certificateService } from "../../../mesh/agent-api/services.ts";
import { createCsr } from "../../../mesh/identity/csr.ts";
import { possessionStatement } from "../../../mesh/identity/possession.ts";
import {
  type AgentPort,
  AgentPortClient,
  type JoinedTestAgent,
  joinAgent,
  joinRequest,
  startAgentPort,
  stateDirectory,
} from "../../../test/harness/agent-port.ts";
import { mintRoot, mintSvid, newKey } from "../../../test/harness/test-certificates.ts";
import type { BanTarget } from "../../ca/bans.ts";

const AGENTS = "spiffe://cluster.local/lateen/agent/";
const serialOf = ({ chainPem }: JoinedTestAgent): string =>
  new X509Certificate(chainPem).serialNumber.toLowerCase();
const METHOD = "last-certificate";
const refused = { code: status.PERMISSION_DENIED };
const spki = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });

interface Shown {
  readonly chainPem: string;
  readonly signedWith: KeyObject;
  readonly newKey?: KeyObject;
  /** What is signed, where it is not what should be. */
  readonly statement?: (challenge: Buffer, newKey: KeyObject) => Buffer;
  readonly challenge?: Buffer;
}

async function comeBack(port: AgentPort, shown: Shown): Promise<string> {
  using client = new AgentPortClient(port);
  const key = shown.newKey ?? newKey();
  const first = await client.call(agentService.join, joinRequest(METHOD, "", createCsr(key)));
  const challenge = shown.challenge ?? Buffer.from(first.challenge);
  const statement = shown.statement?.(challenge, key) ?? possessionStatement(METHOD, challenge, spki(key));
  const signature = sign("sha256", statement, shown.signedWith).toString("base64");
  const evidence = JSON.stringify({ chainPem: shown.chainPem, signature });
  const answer = await client.call(
    agentService.join,
    joinRequest(METHOD, evidence, createCsr(key), challenge),
  );
  return answer.agentId;
}

test("the holder of an agent's last key gets a certificate for a new one, and may do it again", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const shown = { chainPem: agent.chainPem, signedWith: agent.key };
  assert.equal(await comeBack(port, shown), agent.id);
  // The answer may have got lost: the certificate before the newest is good once more.
  assert.equal(await comeBack(port, shown), agent.id);
  await assert.rejects(comeBack(port, shown), refused, "two certificates later it is not");
});

test("what does not belong together is refused, the same each time", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path, { joinRate: { perSecond: 100, burst: 100 } });
  using agent = await joinAgent(port);
  using other = await joinAgent(port);
  const good: Shown = { chainPem: agent.chainPem, signedWith: agent.key };
  const foreign = mintSvid(mintRoot(), `spiffe://cluster.local/lateen/agent/${agent.id}`);
  const stranger = newKey();
  const wrong: Readonly<Record<string, Shown>> = {
    "another agent's key": { ...good, signedWith: other.key },
    "a certificate that no root of the mesh signed": { chainPem: foreign.pem, signedWith: foreign.key },
    "the server's certificate": { chainPem: port.identity.current.chainPem, signedWith: agent.key },
    "no certificate": { chainPem: "", signedWith: agent.key },
    "a challenge of its own": { ...good, challenge: Buffer.alloc(56, 7) },
    "an empty challenge": { ...good, challenge: Buffer.alloc(0) },
    "a signature for another new key": {
      ...good,
      statement: (challenge) => possessionStatement(METHOD, challenge, spki(stranger)),
    },
    "a signature for another method": {
      ...good,
      statement: (challenge, key) => possessionStatement("x509-pop", challenge, spki(key)),
    },
  };
  for (const [name, shown] of Object.entries(wrong))
    await assert.rejects(comeBack(port, shown), refused, name);
  port.agents.setBanned(agent.id, true);
  await assert.rejects(comeBack(port, good), refused, "a banned agent");
  assert.equal(await comeBack(port, { chainPem: other.chainPem, signedWith: other.key }), other.id);
});

test("a challenge is for one key: it is none for another", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  using client = new AgentPortClient(port);
  const key = newKey();
  const { challenge } = await client.call(agentService.join, joinRequest(METHOD, "", createCsr(key)));
  const shown = { chainPem: agent.chainPem, signedWith: agent.key, challenge: Buffer.from(challenge) };
  await assert.rejects(comeBack(port, { ...shown, newKey: newKey() }), refused);
  assert.equal(await comeBack(port, { ...shown, newKey: key }), agent.id);
});

for (const [what, target] of [
  ["certificate", (agent: JoinedTestAgent): BanTarget => ({ kind: "serial", value: serialOf(agent) })],
  ["identity", (agent: JoinedTestAgent): BanTarget => ({ kind: "identity", value: `${AGENTS}${agent.id}` })],
] as const) {
  test(`an agent whose ${what} is banned is refused every call, and does not come back by the same key`, async () => {
    await using state = await stateDirectory();
    await using port = await startAgentPort(state.path);
    using agent = await joinAgent(port);
    port.bans.add(target(agent), "stolen");
    const request = { csr: createCsr(newKey()), validityDuration: 0, metadata: undefined };
    await assert.rejects(agent.client.call(certificateService.createCertificate, request), refused);
    await assert.rejects(comeBack(port, { chainPem: agent.chainPem, signedWith: agent.key }), refused);
    assert.match(String(port.log.at(-1)?.["reason"]), /is banned/);
  });
}

test("an expired certificate opens nothing but Join", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path, { lifetimes: { agentMs: 1_000, minMs: 1_000 } });
  using agent = await joinAgent(port);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const request = { csr: createCsr(newKey()), validityDuration: 0, metadata: undefined };
  await assert.rejects(agent.client.call(certificateService.createCertificate, request), {
    code: status.UNAUTHENTICATED,
  });
  assert.equal(await comeBack(port, { chainPem: agent.chainPem, signedWith: agent.key }), agent.id);
});
