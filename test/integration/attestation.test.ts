import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { readAgentState } from "../../agent/identity/agent-state.ts";
import { issueFrom } from "../../agent/identity/certificates.ts";
import { ServerChannel } from "../../agent/identity/channel.ts";
import { comeBackThrough } from "../../agent/identity/come-back.ts";
import { configuredInvitation, proofOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { joinSchema } from "../../agent/identity/join-config.ts";
import { joinedState } from "../../agent/identity/joined-state.ts";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import type { AttestorSubject } from "../../controlplane/attest/attestor.contract.ts";
import { x509PopAttestor } from "../../controlplane/attest/methods/x509-pop.ts";
import { agentService } from "../../mesh/agent-api/services.ts";
import { KEY_USAGE, SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type MetadataAnswers, startMetadataDouble } from "../fakes/metadata-double.ts";
import {
  type AgentPort,
  AgentPortClient,
  joinRequest,
  startAgentPort,
  stateDirectory,
} from "../harness/agent-port.ts";
import { gcpSubject, nomadSubject } from "../harness/attestation-subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { runCli } from "../harness/run-cli.ts";
import { mint, mintRoot } from "../harness/test-certificates.ts";
import { awsSubject, azureSubject, consulSubject, sshSubject } from "../harness/tool-attestation-subjects.ts";
import { requireTool, skipWithout } from "../harness/tools.ts";

const seams = { clock: systemClock, logger: silentLogger, random: () => 0 };

/** A method, with what `join` of agent.yaml says of it. */
interface Case extends AsyncDisposable {
  readonly subject: Pick<AttestorSubject, "attestor" | "nodeName" | "want">;
  readonly join: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
}

const cases: Readonly<
  Record<string, { readonly skip?: string | false; readonly open: (folder: string) => Promise<Case> }>
> = {
  "a Nomad workload identity": {
    open: async (folder) => {
      const subject = await nomadSubject();
      await writeFile(join(folder, "nomad_lateen.jwt"), subject.nomad.workloadIdentity(runningOf(subject)));
      return own(subject, { method: "nomad-jwt" }, { NOMAD_SECRETS_DIR: folder });
    },
  },
  "a Consul token": {
    skip: skipWithout("consul"),
    open: async () => {
      const subject = await consulSubject(requireTool("consul"));
      const join = { method: "consul-token", services: ["reviews", "ratings"] };
      return own(subject, join, { CONSUL_HTTP_TOKEN: subject.token });
    },
  },
  "an SSH host certificate": {
    open: async () => {
      const subject = await sshSubject("ed25519");
      const { certificate, key } = subject;
      return own(subject, { method: "ssh-pop", certificate, key });
    },
  },
  "a certificate of the fleet": {
    open: async (folder) => {
      const root = mintRoot("fleet");
      const usage = { keyUsage: KEY_USAGE.digitalSignature, extendedKeyUsage: ["clientAuth"] as const };
      const leaf = mint({ issuer: root, sans: [{ tag: SAN_DNS, value: "vm-1.example" }], ...usage });
      const [certificate, key] = [join(folder, "host.pem"), join(folder, "host.key")];
      await writeFile(certificate, leaf.pem);
      await writeFile(key, leaf.keyPem);
      const binding = { ...UNBOUND, namespace: "shop" };
      const attestor = x509PopAttestor({ roots: [root.pem], subject: "dns", binding, clock: systemClock });
      const subject = {
        attestor,
        nodeName: "vm-1",
        want: { subject: "vm-1.example", namespace: "shop" },
        [Symbol.asyncDispose]: async () => {},
      };
      return own(subject, { method: "x509-pop", certificate, key });
    },
  },
  "an EC2 identity document": {
    open: async () =>
      cloud(await awsSubject(), "aws-iid", (evidence) => ({ aws: () => evidence(Buffer.alloc(0)) })),
  },
  "a Compute Engine token": {
    open: async () =>
      cloud(await gcpSubject(), "gcp-iit", (evidence) => ({ gcp: () => evidence(Buffer.alloc(0)) })),
  },
};

function own(
  subject: Case["subject"] & AsyncDisposable,
  joinConfig: Case["join"],
  environment: Readonly<Record<string, string>> = {},
): Case {
  return {
    subject,
    join: joinConfig,
    environment,
    [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose](),
  };
}

async function cloud(
  subject: AttestorSubject,
  method: string,
  answers: (evidence: (challenge: Buffer) => string | Promise<string>) => MetadataAnswers,
): Promise<Case> {
  const attempt = { publicKeyDer: Buffer.alloc(0), nodeName: subject.nodeName, peerAddress: "" };
  const metadata = await startMetadataDouble(answers((challenge) => subject.good({ ...attempt, challenge })));
  return {
    subject,
    join: { method, metadata: metadata.address, audience: "lateen.example" },
    [Symbol.asyncDispose]: async () => {
      await metadata[Symbol.asyncDispose]();
      await subject[Symbol.asyncDispose]();
    },
  };
}

function runningOf({ want, nomad }: Awaited<ReturnType<typeof nomadSubject>>): ReturnType<typeof nomad.run> {
  const found = nomad.find(String(want.subject));
  if (found === undefined) throw new Error("the double has no such allocation");
  return found;
}

function invitationTo(
  port: AgentPort,
  { join: written, environment = {} }: Case,
): ReturnType<typeof configuredInvitation> {
  const caPin = certificatePin(new X509Certificate(port.ca.bundle.roots[0] ?? ""));
  const config = joinSchema.parse({ caPin, trustDomain: "cluster.local", ...written });
  return configuredInvitation(config, [`127.0.0.1:${port.port}`], environment);
}

const options = (stateDir: string, nodeName: string) => ({
  ...seams,
  stateDir,
  nodeName,
  agentVersion: "0.1.0",
  force: true,
  signal: AbortSignal.timeout(20_000),
});

for (const [name, { skip = false, open }] of Object.entries(cases)) {
  test(`a host joins by ${name}, again if that can be repeated, and with an alarm if it cannot`, {
    skip,
  }, async () => {
    await using server = await stateDirectory();
    await using host = await stateDirectory();
    await using one = await open(host.path);
    const { attestor, nodeName, want } = one.subject;
    await using port = await startAgentPort(server.path, { attestors: [attestor] });
    const invitation = invitationTo(port, one);
    const first = await joinMesh(invitation, options(host.path, nodeName));
    const record = port.agents.get(first.agentId);
    assert.equal(record?.attested.subject, want.subject);
    assert.equal(record.binding.namespace, want.namespace);
    assert.deepEqual(record.binding.serviceAccounts, want.serviceAccounts);
    if (attestor.properties.reattestable) {
      const second = await joinMesh(invitation, options(host.path, nodeName));
      assert.equal(second.agentId, first.agentId);
      port.agents.setBanned(first.agentId, true);
      await assert.rejects(joinMesh(invitation, options(host.path, nodeName)), { code: "agent.join" });
    } else {
      await assert.rejects(joinMesh(invitation, options(host.path, nodeName)), { code: "agent.join" });
      const alarm = port.log.find(({ message }) => message.startsWith("second attestation of one host"));
      assert.equal(alarm?.["subject"], want.subject);
      assert.deepEqual(port.outcomes, ["accepted", "alarm", "refused"]);
    }
    assert.equal(port.agents.list().length, 1);
    const told = JSON.stringify(port.log);
    for (const secret of Object.values(one.environment ?? {})) {
      if (!secret.startsWith("/")) assert.ok(!told.includes(secret), "the proof is in the log");
    }
  });
}

test("a host joins by Azure's attested document, made for the server's challenge", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using subject = await azureSubject();
  const digits: string[] = [];
  await using one = await cloud(subject, "azure-imds", () => ({
    azure: async (nonce) => {
      digits.push(nonce);
      return subject.sign(nonce);
    },
  }));
  await using port = await startAgentPort(server.path, { attestors: [subject.attestor] });
  const state = await joinMesh(invitationTo(port, one), options(host.path, "vm"));
  assert.equal(port.agents.get(state.agentId)?.attested.subject, subject.want.subject);
  assert.equal(digits.length, 1);
});

test("a method that the server does not allow is refused, whatever the proof, and nothing stands in for it", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using ssh = await sshSubject("ed25519");
  await using nomad = await nomadSubject();
  await using port = await startAgentPort(server.path, { attestors: [nomad.attestor] });
  const { certificate, key } = ssh;
  const one = own(ssh, { method: "ssh-pop", certificate, key });
  await assert.rejects(joinMesh(invitationTo(port, one), options(host.path, "vm-1")), {
    code: "agent.join",
    hint: /is the method allowed there/,
  });
  assert.equal(port.agents.list().length, 0);
  assert.ok(port.log.some(({ reason }) => /method "ssh-pop" is not allowed/.test(String(reason))));
});

test("a host that joins in a loop is slowed down by what it has proven, and no other host with it", async () => {
  await using server = await stateDirectory();
  await using nomad = await nomadSubject();
  const joinRate = { perSecond: 1000, burst: 1000 };
  await using port = await startAgentPort(server.path, { attestors: [nomad.attestor], joinRate });
  using client = new AgentPortClient(port);
  const attempt = (allocation: Parameters<typeof nomad.nomad.workloadIdentity>[0]) =>
    client.call(agentService.join, joinRequest("nomad-jwt", nomad.nomad.workloadIdentity(allocation)));
  const loops = await Promise.allSettled(Array.from({ length: 14 }, () => attempt(runningOf(nomad))));
  const slowed = loops.filter(
    (one) => one.status === "rejected" && one.reason.code === status.RESOURCE_EXHAUSTED,
  );
  assert.equal(slowed.length, 4);
  assert.ok((await attempt(nomad.nomad.run("ratings", "shop"))).agentId.length > 0);
});

test("lateen join without a token joins as agent.yaml says, and says so when it does not", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using ssh = await sshSubject("ed25519");
  await using port = await startAgentPort(server.path, { attestors: [ssh.attestor] });
  const caPin = certificatePin(new X509Certificate(port.ca.bundle.roots[0] ?? ""));
  const { certificate, key, nodeName } = ssh;
  const places = { stateDir: join(host.path, "state"), runDir: join(host.path, "run") };
  const config = { ...places, nodeName, servers: [`127.0.0.1:${port.port}`] };
  const write = (content: object): Promise<void> =>
    writeFile(join(host.path, "agent.yaml"), JSON.stringify(content));
  await write(config);
  const without = await runCli(["join", "--no-start", "--dir", host.path], { clock: systemClock });
  assert.equal(without.code, 64, without.stderr);
  assert.match(without.stderr, /or say in agent\.yaml, under join/);
  await write({ ...config, join: { method: "ssh-pop", caPin, certificate, key } });
  const joined = await runCli(["join", "--no-start", "--dir", host.path], { clock: systemClock });
  assert.equal(joined.code, 0, joined.stderr);
  assert.match(joined.stdout, new RegExp(`as agent ${port.agents.list()[0]?.id}`));
});

test("an allocation's agent renews as long as the allocation runs, also through an outage of Nomad, and no longer", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using nomad = await nomadSubject();
  await writeFile(join(host.path, "nomad_lateen.jwt"), nomad.nomad.workloadIdentity(runningOf(nomad)));
  const one = own(nomad, { method: "nomad-jwt" }, { NOMAD_SECRETS_DIR: host.path });
  await using port = await startAgentPort(server.path, { attestors: [nomad.attestor] });
  const state = await joinMesh(invitationTo(port, one), options(host.path, "x"));
  assert.ok(state.svid.notAfterMs - Date.now() <= 3_600_000, "it lives an hour at most");
  assert.equal(port.agents.get(state.agentId)?.nodeName, "client-7");
  const channel = new ServerChannel({
    ...seams,
    addresses: state.servers,
    trustDomain: state.trustDomain,
    identity: () => ({ roots: port.ca.bundle.roots, certificate: state.svid }),
  });
  const renew = () => issueFrom(channel)(undefined, AbortSignal.timeout(10_000));
  try {
    assert.ok((await renew()).chain.length > 0);
    nomad.nomad.broken = 500;
    assert.ok((await renew()).chain.length > 0);
    nomad.nomad.broken = undefined;
    runningOf(nomad).ClientStatus = "complete";
    await assert.rejects(renew(), { code: "ca.refused" });
    const names = { channel, proof: proofOf(undefined, {}), nodeName: "x", agentVersion: "0.1.0" };
    const comeBack = comeBackThrough({ ...names, logger: silentLogger });
    await assert.rejects(comeBack(state, AbortSignal.timeout(10_000)), { code: "ca.refused" });
  } finally {
    channel.close();
  }
});

test("an agent that is told how to join does so by itself, once its allocation runs", async () => {
  await using server = await stateDirectory();
  await using host = await stateDirectory();
  await using nomad = await nomadSubject();
  const allocation = runningOf(nomad);
  allocation.ClientStatus = "pending";
  await writeFile(join(host.path, "nomad_lateen.jwt"), nomad.nomad.workloadIdentity(allocation));
  await using port = await startAgentPort(server.path, { attestors: [nomad.attestor] });
  const caPin = certificatePin(new X509Certificate(port.ca.bundle.roots[0] ?? ""));
  const config = {
    stateDir: host.path,
    nodeName: "x",
    servers: [`127.0.0.1:${port.port}`],
    join: joinSchema.parse({ method: "nomad-jwt", caPin }),
  };
  const signal = AbortSignal.timeout(20_000);
  const joining = joinedState(config, { NOMAD_SECRETS_DIR: host.path }, { ...seams, signal });
  await eventually("a refusal", () => port.log.some(({ message }) => message === "join refused"));
  allocation.ClientStatus = "running";
  const state = await joining;
  assert.equal((await readAgentState(host.path, 0))?.agentId, state?.agentId);
  assert.equal(port.agents.list().length, 1);
});
