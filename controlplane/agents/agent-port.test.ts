import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";
import { status } from "@grpc/grpc-js";
import { agentService, certificateService } from "../../mesh/agent-api/services.ts";
import { SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import { generateJoinSecret } from "../../mesh/identity/join-token.ts";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type { ReportResult, TrustBundleResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import {
  type AgentPort,
  AgentPortClient,
  type JoinedTestAgent,
  joinAgent,
  joinRequest,
  nextMessage,
  publicKeyOf,
  spkiOf,
  startAgentPort,
  stateDirectory,
  wireWorkload,
} from "../../test/harness/agent-port.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { mintCsr, mintRoot, mintSvid, newKey, uriSan } from "../../test/harness/test-certificates.ts";
import { UNBOUND } from "../attest/agent-binding.ts";
import { Banning } from "../banning.ts";

const REVIEWS = "spiffe://cluster.local/ns/default/sa/reviews";
const tokenRequest = (secret: string, csr?: string) => joinRequest("join-token", secret, csr);
const certify = (
  agent: JoinedTestAgent,
  identity?: string,
  csr = createCsr(newKey()),
  validityDuration = 0,
) =>
  agent.client.call(certificateService.createCertificate, {
    csr,
    validityDuration,
    metadata: identity === undefined ? undefined : { ImpersonatedIdentity: identity },
  });

async function register(agent: JoinedTestAgent, ...names: string[]) {
  const stream = agent.client.register();
  stream.on("error", () => undefined);
  stream.write({ sequence: 1, workloads: names.map((name) => wireWorkload(name)) });
  return { stream, result: await nextMessage<ReportResult>(stream) };
}

test("a host joins with a token, registers a workload and gets its SVID for its own key", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream, result } = await register(agent, "reviews");
  assert.deepEqual(result, { sequence: 1, refusals: [], settings: [], groups: [] });
  const key = newKey();
  const { certChain } = await certify(agent, REVIEWS, createCsr(key), 3600);
  const leaf = new X509Certificate(certChain[0] ?? "");
  assert.deepEqual(verifyPeerSvid(leaf.raw, "cluster.local"), { ok: true, spiffeId: REVIEWS });
  assert.deepEqual(publicKeyOf(certChain[0] ?? ""), spkiOf(key));
  assert.equal(certChain.at(-1), port.ca.bundle.roots[0]);
  const life = leaf.validToDate.getTime() - leaf.validFromDate.getTime();
  assert.ok(Math.abs(life - 3_660_000) <= 1000, `${life}`);
  stream.end();
});

test("an agent renews its own certificate with a new key, and goes on with it", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const key = newKey();
  const { certChain } = await certify(agent, undefined, createCsr(key));
  const [chainPem = ""] = certChain;
  const serial = new X509Certificate(chainPem).serialNumber.toLowerCase();
  assert.equal(port.agents.get(agent.id)?.serial, serial);
  using renewed = new AgentPortClient(port, { chainPem, key });
  const again = await renewed.call(certificateService.createCertificate, {
    csr: createCsr(newKey()),
    validityDuration: 0,
    metadata: undefined,
  });
  const leaf = new X509Certificate(again.certChain[0] ?? "");
  assert.equal(leaf.subjectAltName, `URI:spiffe://cluster.local/lateen/agent/${agent.id}`);
});

test("joins, certificates and tokens are in the audit log, with who, from where and by which method, and no secret", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  await certify(agent);
  const { stream } = await register(agent, "reviews");
  const ask = { spiffeId: REVIEWS, audiences: ["bank"] };
  const { token } = await agent.client.call(agentService.issueJwtSvid, ask);
  await assert.rejects(agent.client.call(agentService.issueJwtSvid, { ...ask, spiffeId: `${REVIEWS}x` }));
  stream.end();
  using stranger = new AgentPortClient(port);
  const secret = generateJoinSecret();
  await assert.rejects(stranger.call(agentService.join, tokenRequest(secret)));
  assert.deepEqual(
    port.audited.map(({ action, outcome, actor, from }) => [action, outcome, actor, from]),
    [
      ["join", "done", `agent:${agent.id}`, "127.0.0.1"],
      ["certificate", "done", `agent:${agent.id}`, undefined],
      ["token", "done", `agent:${agent.id}`, undefined],
      ["join", "refused", "host:vm-1", "127.0.0.1"],
    ],
  );
  const { notAfter, ...told } = port.audited[2]?.details ?? {};
  const sha256 = createHash("sha256").update(token).digest("hex");
  assert.deepEqual(told, { ...ask, sha256 });
  const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
    exp: number;
  };
  assert.equal(notAfter, new Date(exp * 1000).toISOString());
  for (const unsaid of [secret, token, token.split(".")[2] ?? ""])
    assert.ok(!JSON.stringify(port.audited).includes(unsaid));
});

test("an identity that is not placed on the caller is refused, and the refusal is logged", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using one = await joinAgent(port);
  using two = await joinAgent(port);
  const { stream } = await register(one, "reviews");
  const refused = { code: status.PERMISSION_DENIED };
  await assert.rejects(certify(two, REVIEWS), refused);
  for (const identity of [
    "spiffe://cluster.local/ns/default/sa/ratings",
    "spiffe://other/ns/default/sa/reviews",
    "SPIFFE://cluster.local/ns/default/sa/reviews",
    `${REVIEWS}/`,
    "spiffe://cluster.local/lateen/server",
    `spiffe://cluster.local/lateen/agent/${two.id}`,
    "",
  ]) {
    await assert.rejects(certify(one, identity), refused, identity);
  }
  assert.ok(port.log.some(({ message, agentId }) => message === "certificate refused" && agentId === two.id));
  stream.write({ sequence: 2, workloads: [] });
  await nextMessage(stream);
  await assert.rejects(certify(one, REVIEWS), refused);
  stream.end();
});

test("names in a request are refused unless they are the very identity", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream } = await register(agent, "reviews");
  const refused = { code: status.INVALID_ARGUMENT };
  for (const names of [
    [uriSan(`${REVIEWS}2`)],
    [uriSan(REVIEWS), uriSan(REVIEWS)],
    [uriSan(REVIEWS), { tag: SAN_DNS, value: "bank.example.org" }],
    [{ tag: SAN_DNS, value: REVIEWS }],
  ]) {
    await assert.rejects(certify(agent, REVIEWS, mintCsr(newKey(), names)), refused);
  }
  const { certChain } = await certify(agent, REVIEWS, mintCsr(newKey(), [uriSan(REVIEWS)]));
  assert.equal(new X509Certificate(certChain[0] ?? "").subjectAltName, `URI:${REVIEWS}`);
  await assert.rejects(certify(agent, REVIEWS, "rubbish"), refused);
  await assert.rejects(
    agent.client.call(certificateService.createCertificate, {
      csr: createCsr(newKey()),
      validityDuration: 0,
      metadata: { ImpersonatedIdentity: 5 },
    }),
    refused,
  );
  stream.end();
});

test("a token joins one host; a wrong, used or expired one hears the same refusal", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  const { secret } = port.tokens.create({ binding: UNBOUND, ttlMs: 60_000 });
  const expired = port.tokens.create({ binding: UNBOUND, ttlMs: -1 });
  using client = new AgentPortClient(port);
  const csr = createCsr(newKey());
  const first = await client.call(agentService.join, tokenRequest(secret, csr));
  const again = await client.call(agentService.join, tokenRequest(secret, csr));
  assert.equal(again.agentId, first.agentId);
  const refusals = new Set<string>();
  for (const wrong of [secret, expired.secret, generateJoinSecret(), "x"]) {
    await assert.rejects(
      client.call(agentService.join, tokenRequest(wrong)),
      (error: { details?: string }) => {
        refusals.add(error.details ?? "");
        return true;
      },
    );
  }
  assert.equal(refusals.size, 1);
  assert.equal(port.agents.list().length, 1);
  const told = JSON.stringify(port.log);
  for (const one of [secret, expired.secret]) assert.ok(!told.includes(one), "no secret is logged");
  assert.equal(port.log.filter(({ message }) => message === "join refused").length, 4);
});

test("many joins from one address are slowed down", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using client = new AgentPortClient(port);
  const codes = new Map<unknown, number>();
  for (let round = 0; round < 14; round++) {
    await client
      .call(agentService.join, tokenRequest(generateJoinSecret()))
      .catch((error: { code?: unknown }) => {
        codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      });
  }
  assert.ok((codes.get(status.RESOURCE_EXHAUSTED) ?? 0) >= 3, JSON.stringify([...codes]));
  assert.ok((codes.get(status.PERMISSION_DENIED) ?? 0) >= 10);
});

test("without an agent's certificate nothing but Join answers", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream } = await register(agent, "reviews");
  const workloadKey = newKey();
  const workload = (await certify(agent, REVIEWS, createCsr(workloadKey))).certChain[0] ?? "";
  const strange = mintSvid(mintRoot(), `spiffe://cluster.local/lateen/agent/${agent.id}`);
  for (const identity of [
    undefined,
    { chainPem: workload, key: workloadKey },
    { chainPem: strange.pem, key: strange.key },
  ]) {
    using client = new AgentPortClient(port, identity);
    const refused = { code: status.UNAUTHENTICATED };
    const request = { csr: createCsr(newKey()), validityDuration: 0, metadata: undefined };
    await assert.rejects(client.call(certificateService.createCertificate, request), refused);
    const registration = client.register();
    registration.write({ sequence: 1, workloads: [] });
    await assert.rejects(nextMessage(registration), refused);
    await assert.rejects(nextMessage(client.watchBundle()), refused);
  }
  stream.end();
});

test("a banned agent is refused from its next call on, also on a stream that is open", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream } = await register(agent, "reviews");
  port.agents.setBanned(agent.id, true);
  await assert.rejects(certify(agent, REVIEWS), { code: status.PERMISSION_DENIED });
  stream.write({ sequence: 2, workloads: [] });
  await assert.rejects(nextMessage(stream), { code: status.PERMISSION_DENIED });
});

test("a ban of an agent's certificate or identity ends what it has open, as a ban of its host does", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  const banning = new Banning({ ...port, logger: silentLogger });
  for (const kind of ["serial", "identity", "host"] as const) {
    using agent = await joinAgent(port);
    using other = await joinAgent(port);
    const { stream } = await register(agent, `web-${kind}`);
    const { stream: unconcerned } = await register(other, `other-${kind}`);
    const { serialNumber } = new X509Certificate(agent.chainPem);
    const identity = `spiffe://cluster.local/lateen/agent/${agent.id}`;
    banning.ban({ kind, value: { serial: serialNumber, identity, host: agent.id }[kind] }, "stolen");
    await assert.rejects(nextMessage(stream), /./, kind);
    unconcerned.write({ sequence: 2, workloads: [] });
    assert.equal((await nextMessage<ReportResult>(unconcerned)).sequence, 2);
    unconcerned.end();
  }
});

test("a workload outside the agent's binding is refused and the others stand", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port, { ...UNBOUND, serviceAccounts: ["reviews"] });
  const { stream, result } = await register(agent, "reviews", "ratings", "bad name");
  assert.deepEqual(
    result.refusals.map(({ workload }) => workload),
    ["default/bad name", "default/ratings"],
  );
  assert.deepEqual(
    port.placements.list().map(({ name }) => name),
    ["reviews"],
  );
  stream.end();
});

test("the newest Register stream of an agent is the one that counts", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const old = await register(agent, "reviews");
  const ended = statusOf(old.stream);
  const young = await register(agent, "ratings");
  assert.equal(await ended, status.ABORTED);
  assert.deepEqual(
    port.placements.list().map(({ name }) => name),
    ["ratings"],
  );
  assert.equal(port.placements.isLive(agent.id), true);
  young.stream.end();
  await eventually("the stream is gone", () => !port.placements.isLive(agent.id));
  assert.equal(port.placements.list().length, 1);
});

test("a caller that breaks off is gone", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream } = await register(agent, "reviews");
  assert.equal(port.placements.isLive(agent.id), true);
  stream.cancel();
  await eventually("the stream is gone", () => !port.placements.isLive(agent.id));
});

test("the trust bundle comes at once", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const stream = agent.client.watchBundle();
  const bundle = await nextMessage<TrustBundleResponse>(stream);
  assert.deepEqual(bundle, {
    trustDomain: "cluster.local",
    roots: port.ca.bundle.roots,
    crls: [],
    retiringAuthorities: [],
    renewWithinMs: 600_000,
    jwtKeys: port.ca.bundle.jwtKeys,
    sequence: 1,
  });
  stream.on("error", () => undefined);
  stream.cancel();
});

test("a restart keeps agents, placements and the CA; open streams are told that the server stops", async () => {
  await using state = await stateDirectory();
  const before = await startAgentPort(state.path);
  const agent = await joinAgent(before);
  const { stream } = await register(agent, "reviews");
  const ended = statusOf(stream);
  await before.stop();
  assert.equal(await ended, status.UNAVAILABLE);
  agent[Symbol.dispose]();
  await using after = await startAgentPort(state.path);
  assert.deepEqual(
    after.placements.list().map(({ name, agentId }) => [name, agentId]),
    [["reviews", agent.id]],
  );
  using client = new AgentPortClient(after, agent);
  const { certChain } = await client.call(certificateService.createCertificate, {
    csr: createCsr(newKey()),
    validityDuration: 0,
    metadata: { ImpersonatedIdentity: REVIEWS },
  });
  assert.equal(new X509Certificate(certChain[0] ?? "").subjectAltName, `URI:${REVIEWS}`);
});

test("a stranger sees the whole chain with the pinned root, over TLS 1.3 and no less", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  const chain = await chainOf(port);
  const root = chain.at(-1);
  assert.ok(root !== undefined && chain.length === 2);
  assert.equal(certificatePin(root), certificatePin(new X509Certificate(port.ca.bundle.roots[0] ?? "")));
  const leaf = verifyPeerSvid(chain[0]?.raw ?? Buffer.alloc(0), "cluster.local");
  assert.deepEqual(leaf, { ok: true, spiffeId: "spiffe://cluster.local/lateen/server" });
  const old = connect({
    port: port.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    maxVersion: "TLSv1.2",
  });
  await assert.rejects(once(old, "secureConnect"), { code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
});

test("who speaks another protocol than HTTP/2 gets no further than the handshake", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  const other = { host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] };
  await assert.rejects(once(connect({ port: port.port, ...other }), "secureConnect"), {
    code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
  });
});

test("a renewed server certificate is shown to new connections, and old ones live on", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path, { lifetimes: { serverMs: 2000, minMs: 1000 } });
  using agent = await joinAgent(port);
  const { stream } = await register(agent, "reviews");
  const [before] = await chainOf(port);
  const stop = new AbortController();
  const renewed = Promise.withResolvers<void>();
  port.identity.onChange(() => renewed.resolve(), stop.signal);
  const running = port.identity.run(stop.signal);
  await renewed.promise;
  stop.abort();
  await running;
  const [after] = await chainOf(port);
  assert.notEqual(after?.serialNumber, before?.serialNumber);
  stream.write({ sequence: 2, workloads: [] });
  assert.equal((await nextMessage<ReportResult>(stream)).sequence, 2);
  stream.end();
});

test("a message of more than 4 MiB is refused", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using client = new AgentPortClient(port);
  const call = client.call(agentService.join, tokenRequest("x", "A".repeat(4 << 20)));
  await assert.rejects(call, { code: status.RESOURCE_EXHAUSTED });
});

/** The status that a stream ends with. */
function statusOf(stream: NodeJS.EventEmitter): Promise<status> {
  return new Promise((resolve) => stream.once("status", ({ code }: { code: status }) => resolve(code)));
}

/** What a host sees that knows nothing but the address: the certificates, leaf first. */
async function chainOf(port: AgentPort): Promise<readonly X509Certificate[]> {
  const socket = connect({
    port: port.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  assert.equal(socket.getProtocol(), "TLSv1.3");
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  socket.destroy();
  const seen = new Set(chain.map(({ raw }) => createHash("sha256").update(raw).digest("hex")));
  assert.equal(seen.size, chain.length);
  assert.ok(joinPemChain(chain.map(String)).length > 0);
  return chain;
}
