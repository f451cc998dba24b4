import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { formatJoinToken, parseJoinToken } from "../../mesh/identity/join-token.ts";
import { parseSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { bundleMessage, FakeAgentServer, newAuthority } from "../../test/fakes/fake-agent-server.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { AgentIdentity } from "./agent-identity.ts";
import { type AgentState, agentStatePath, readAgentState } from "./agent-state.ts";
import { issueFrom } from "./certificates.ts";
import { ServerChannel } from "./channel.ts";
import { invitationOf } from "./invitation.ts";
import { joinMesh } from "./join.ts";
import { readTrustBundle, TrustBundleWatch } from "./trust-bundle.ts";

const seams = { clock: systemClock, logger: silentLogger, random: () => 0 };

const neverComesBack = (): Promise<never> => Promise.reject(new Error("the certificate has not expired"));

/** Ends what a test runs, also when the test fails. */
function stopper(t: TestContext): AbortController {
  const stop = new AbortController();
  t.after(() => stop.abort());
  return stop;
}

async function stateDir(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "lateen-identity-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function joinHost(t: TestContext, token: string, directory: string, force = false): Promise<AgentState> {
  return joinMesh(invitationOf(token), {
    ...seams,
    stateDir: directory,
    nodeName: "host-1",
    agentVersion: "0.1.0",
    force,
    signal: t.signal,
  });
}

test("a host that joins has an identity that the next start finds", async (t) => {
  await using server = await FakeAgentServer.start();
  const directory = await stateDir(t);
  const state = await joinHost(t, server.token(), directory);
  assert.equal(state.svid.spiffeId, "spiffe://cluster.local/lateen/agent/host-1");
  assert.deepEqual(await readAgentState(directory, 0), state);
  const bundle = await readTrustBundle(directory, state.trustDomain, 0);
  assert.deepEqual(bundle.roots, server.authority.bundle.roots);
});

test("the first of the token's servers that answers is taken", async (t) => {
  await using server = await FakeAgentServer.start();
  const state = await joinHost(t, server.token(["127.0.0.1:1", server.address]), await stateDir(t));
  assert.equal(state.agentId, "host-1");
});

test("a token that was used is refused with what to do, and nothing is kept", async (t) => {
  await using server = await FakeAgentServer.start();
  const token = server.token();
  await joinHost(t, token, await stateDir(t));
  const directory = await stateDir(t);
  await assert.rejects(joinHost(t, token, directory), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, "agent.join");
    assert.match(error.hint ?? "", /lateen token create/);
    assert.ok(
      !JSON.stringify([error.message, error.hint, error.stack]).includes(parseJoinToken(token).secret),
    );
    return true;
  });
  assert.equal(await readAgentState(directory, 0), undefined);
});

test("a server whose CA is not the pinned one is not talked to", async (t) => {
  await using server = await FakeAgentServer.start();
  await using other = await FakeAgentServer.start();
  const token = parseJoinToken(other.token());
  const wrong = formatJoinToken({ ...token, addresses: [server.address] });
  await assert.rejects(joinHost(t, wrong, await stateDir(t)), {
    code: "agent.join",
    message: /not the one that the token/,
  });
});

test("something with the pinned CA that is not the server is not talked to", async (t) => {
  await using server = await FakeAgentServer.start({
    spiffeId: parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews"),
  });
  await assert.rejects(joinHost(t, server.token(), await stateDir(t)), {
    code: "agent.join",
    message: /is spiffe:\/\/cluster\.local\/ns\/default\/sa\/reviews, not/,
  });
});

test("a server that is not there, or that does not speak TLS, is an error that says so", async (t) => {
  await using server = await FakeAgentServer.start();
  const plain = createServer((socket) => socket.end("hello\r\n"));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  t.after(() => plain.close());
  const port = (plain.address() as { port: number }).port;
  for (const [address, why] of [
    ["127.0.0.1:1", "connect ECONNREFUSED"],
    [`127.0.0.1:${port}`, "what answers there does not speak TLS 1\\.3 \\(ERR_SSL_\\w+\\)$"],
  ]) {
    await assert.rejects(joinHost(t, server.token([address ?? ""]), await stateDir(t)), {
      code: "agent.join",
      message: new RegExp(`reach the server at ${address}: ${why}`),
      hint: /firewall/,
    });
  }
});

test("a host joins a second time only when it is forced to", async (t) => {
  await using server = await FakeAgentServer.start();
  const directory = await stateDir(t);
  const first = await joinHost(t, server.token(), directory);
  await assert.rejects(joinHost(t, server.token(), directory), { code: "agent.join", hint: /--force/ });
  const second = await joinHost(t, server.token(), directory, true);
  assert.notEqual(second.svid.serial, first.svid.serial);
});

test("an identity that others can read is refused; one that is damaged is put aside", async (t) => {
  await using server = await FakeAgentServer.start();
  const directory = await stateDir(t);
  await joinHost(t, server.token(), directory);
  const path = agentStatePath(directory);
  await chmod(path, 0o640);
  await assert.rejects(readAgentState(directory, 0), { code: "agent.state", hint: /chmod 0600/ });
  await chmod(path, 0o600);
  const good = await readFile(path, "utf8");
  for (const [when, bad] of ["", "{", good.slice(0, -20), good.replace("host-1", "host-2")].entries()) {
    await writeFile(path, bad, { mode: 0o600 });
    await assert.rejects(readAgentState(directory, when), { code: "agent.state", hint: /join again/ });
    assert.equal(await readFile(`${path}.corrupt-${when}`, "utf8"), bad);
  }
});

test("an agent's certificate is renewed with a new key, and the connection made with it", async (t) => {
  await using server = await FakeAgentServer.start();
  const directory = await stateDir(t);
  const joined = await joinHost(t, server.token(), directory);
  // Far in the certificate's life: the renewal is due.
  const late = { ...systemClock, now: () => joined.svid.notAfterMs - 60_000 };
  const identity = new AgentIdentity({ ...seams, clock: late, state: joined, stateDir: directory });
  const channel = new ServerChannel({
    ...seams,
    addresses: joined.servers,
    trustDomain: joined.trustDomain,
    identity: () => ({ roots: server.authority.bundle.roots, certificate: identity.current.svid }),
  });
  identity.changes.subscribe(() => channel.renew());
  const stop = stopper(t);
  const running = Promise.all([
    identity.run(issueFrom(channel), neverComesBack, stop.signal),
    channel.run(stop.signal),
  ]);
  const renewed = await eventually("a renewed certificate on disk", async () => {
    const state = await readAgentState(directory, 0);
    return state !== undefined && state.svid.serial !== joined.svid.serial && state;
  });
  assert.notEqual(renewed.svid.keyPem, joined.svid.keyPem);
  assert.equal(renewed.svid.spiffeId, joined.svid.spiffeId);
  await eventually("a connection with it", () => channel.connected);
  stop.abort();
  await running;
});

test("the channel goes on to the next server when one is gone", async (t) => {
  const authority = await newAuthority();
  const first = await FakeAgentServer.start({ authority });
  await using second = await FakeAgentServer.start({ authority });
  const joined = await joinHost(t, first.token([first.address, second.address]), await stateDir(t));
  const channel = new ServerChannel({
    ...seams,
    addresses: joined.servers,
    trustDomain: joined.trustDomain,
    identity: () => ({ roots: authority.bundle.roots, certificate: joined.svid }),
  });
  const stop = stopper(t);
  const running = channel.run(stop.signal);
  await eventually("connected to the first", () => channel.connected && channel.address === first.address);
  await first[Symbol.asyncDispose]();
  await eventually("connected to the second", () => channel.connected && channel.address === second.address);
  stop.abort();
  await running;
});

test("a new trust bundle is taken and kept; a foreign, empty or broken one is not", async (t) => {
  await using server = await FakeAgentServer.start();
  const directory = await stateDir(t);
  const joined = await joinHost(t, server.token(), directory);
  const channel = new ServerChannel({
    ...seams,
    addresses: joined.servers,
    trustDomain: joined.trustDomain,
    identity: () => ({ roots: server.authority.bundle.roots, certificate: joined.svid }),
  });
  const initial = await readTrustBundle(directory, joined.trustDomain, 0);
  const watch = new TrustBundleWatch({ ...seams, initial, channel, stateDir: directory });
  const stop = stopper(t);
  const running = watch.run(stop.signal);
  await eventually("the bundle as it is", () => watch.current.sequence === server.authority.bundle.sequence);

  const [root = ""] = initial.roots;
  const [other = ""] = (await newAuthority()).bundle.roots;
  const good = { ...bundleMessage(server.authority.bundle), roots: [root, other] };
  server.sendBundle({ ...good, trustDomain: "evil.example", sequence: 2 });
  server.sendBundle({ ...good, roots: [], sequence: 3 });
  server.sendBundle({ ...good, roots: ["rubbish"], sequence: 4 });
  server.sendBundle({ ...good, crls: ["rubbish"], sequence: 4 });
  server.sendBundle({ ...good, sequence: 5 });
  await eventually("the good one", () => watch.current.sequence === 5);
  assert.deepEqual(watch.current.roots, [root, other]);
  await eventually(
    "it on disk",
    async () => (await readTrustBundle(directory, joined.trustDomain, 0)).sequence === 5,
  );
  stop.abort();
  await running;
  channel.close();
});
