import assert from "node:assert/strict";
import { connect as tcpConnect } from "node:net";
import { test } from "node:test";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import { eventually } from "../../test/harness/eventually.ts";
import { CLIENT_ID, call, ProxyPair, SERVER_ID } from "../../test/harness/proxy-pair.ts";
import {
  mint,
  mintRoot,
  mintSvid,
  type TestCertificate,
  uriSan,
} from "../../test/harness/test-certificates.ts";
import { httpRbac, ISTIO_FORMAT, stdoutLog } from "../../test/harness/xds-samples.ts";

test("a request goes over mTLS with the expected identities at both ends", async () => {
  await using pair = await ProxyPair.start();
  const reply = await pair.call("/x", { method: "POST", body: "hello" });
  assert.deepEqual([reply.status, reply.body], [200, "hello"]);
  const header = String(pair.app.seen[0]?.headers["x-forwarded-client-cert"]);
  assert.match(header, new RegExp(`^By=${SERVER_ID};Hash=[0-9a-f]{64};Subject="";URI=${CLIENT_ID}$`));
  const metrics = (await pair.client.admin("/stats/prometheus")).body;
  assert.match(metrics, new RegExp(`istio_requests_total{.*destination_principal="${SERVER_ID}"`));
});

test("what the client says of its certificate itself never reaches the application", async () => {
  await using pair = await ProxyPair.start({ mode: "PERMISSIVE" });
  const headers = { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/admin" };
  await pair.call("/", { headers });
  await call(pair.inboundPort, "/", { headers });
  const [overMtls, plain] = pair.app.seen.map((one) => String(one.headers["x-forwarded-client-cert"]));
  assert.ok(overMtls?.includes(`URI=${CLIENT_ID}`) && !overMtls.includes("sa/admin"), overMtls);
  assert.equal(plain, "undefined");
});

const refusedServers: readonly {
  name: string;
  options: Parameters<typeof ProxyPair.start>[0];
  why: RegExp;
}[] = [
  {
    name: "has another identity than the service's",
    options: { expected: "spiffe://cluster.local/ns/default/sa/other" },
    why: /not_among_the_identities/,
  },
  {
    name: "has a certificate of a foreign CA",
    options: { serverRoot: mintRoot("foreign") },
    why: /self.signed|issuer|verify/i,
  },
  {
    name: "has an expired certificate",
    options: {
      serverCertificate: { notBeforeMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 },
    },
    why: /expired/,
  },
  {
    name: "has two identities",
    options: { serverCertificate: { sans: [uriSan(SERVER_ID), uriSan(CLIENT_ID)] } },
    why: /URI_SANs/,
  },
];

for (const { name, options, why } of refusedServers) {
  test(`the client answers 503 when the server ${name}`, async () => {
    await using pair = await ProxyPair.start(options);
    const reply = await pair.call();
    assert.equal(reply.status, 503);
    assert.match(reply.body, /connection failure/);
    assert.equal(pair.app.seen.length, 0);
    const metrics = (await pair.client.admin("/stats/prometheus")).body;
    assert.match(metrics, /response_flags="UF"/);
    assert.match(await reasonOf(pair), why);
  });
}

/** Why the client's proxy gave up, from its access log. */
async function reasonOf(pair: ProxyPair): Promise<string> {
  const { outboundHttp } = await import("../../test/harness/xds-samples.ts");
  const accessLog = [stdoutLog(ISTIO_FORMAT)];
  const listener = outboundHttp(pair.port, "server.default.svc.cluster.local:80", { accessLog });
  pair.client.ads.set("listener", `127.0.0.1_${pair.port}`, listener);
  return await eventually("a log line", async () => {
    await pair.call();
    return pair.client.logLines.at(-1);
  });
}

/** What a TLS client of one's own gets from the server's proxy: the status line, or how the connection failed. */
async function knock(
  pair: ProxyPair,
  certificate: TestCertificate | undefined,
  options: ConnectionOptions = {},
): Promise<string> {
  return await new Promise((resolve) => {
    const socket = tlsConnect({
      host: "127.0.0.1",
      port: pair.inboundPort,
      ca: pair.root.pem,
      ...(certificate ? { cert: certificate.pem, key: certificate.keyPem } : {}),
      checkServerIdentity: () => undefined,
      ALPNProtocols: ["istio-http/1.1", "istio", "http/1.1"],
      ...options,
    });
    let text = "";
    socket.on("secureConnect", () =>
      socket.write("GET / HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n"),
    );
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("close", () => resolve(text.split("\r\n")[0] || "closed"));
  });
}

test("the server lets in exactly the workloads of the mesh", async () => {
  await using pair = await ProxyPair.start({ mode: "STRICT" });
  const svid = (id: string): TestCertificate => mintSvid(pair.root, id);
  assert.equal(await knock(pair, svid(CLIENT_ID)), "HTTP/1.1 200 OK");
  const expired = { notBeforeMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 };
  const strangers: Record<string, TestCertificate | undefined> = {
    "no certificate": undefined,
    "a foreign CA": mintSvid(mintRoot("foreign"), CLIENT_ID),
    expired: mintSvid(pair.root, CLIENT_ID, expired),
    "another trust domain": svid("spiffe://other.domain/ns/default/sa/client"),
    "an agent": svid("spiffe://cluster.local/lateen/agent/host-1"),
    "the server of the control plane": svid("spiffe://cluster.local/lateen/server"),
    "no SPIFFE ID": mint({ issuer: pair.root, commonName: "client" }),
    "two SPIFFE IDs": mintSvid(pair.root, CLIENT_ID, { sans: [uriSan(CLIENT_ID), uriSan(SERVER_ID)] }),
    "a CA certificate": mintSvid(pair.root, CLIENT_ID, { isCa: true, keyUsage: 0x84 }),
    "a path with dots": svid("spiffe://cluster.local/ns/default/sa/x/../client"),
  };
  for (const [who, certificate] of Object.entries(strangers)) {
    const answer = await knock(pair, certificate);
    assert.ok(!answer.startsWith("HTTP/"), `${who} was let in: ${answer}`);
  }
  assert.equal(pair.app.seen.length, 1);
});

test("STRICT refuses plain bytes, PERMISSIVE takes both, DISABLE takes plain bytes alone", async () => {
  await using pair = await ProxyPair.start({ mode: "STRICT" });
  await assert.rejects(call(pair.inboundPort), /socket hang up|ECONNRESET/);
  assert.equal((await pair.call()).status, 200);
  pair.listen({ mode: "PERMISSIVE" });
  await eventually(
    "plain bytes pass",
    async () => (await call(pair.inboundPort).catch(() => undefined))?.status === 200,
  );
  assert.equal((await pair.call()).status, 200);
  pair.listen({ mode: "DISABLE" });
  await eventually(
    "TLS is refused",
    async () => !(await knock(pair, mintSvid(pair.root, CLIENT_ID))).startsWith("HTTP/"),
  );
  assert.equal((await call(pair.inboundPort)).status, 200);
});

test("a server that speaks first is not held up by PERMISSIVE for ever, and a silent client ends", async () => {
  await using pair = await ProxyPair.start({
    mode: "PERMISSIVE",
    manager: { requestHeadersTimeout: "0.2s" },
  });
  const socket = tcpConnect(pair.inboundPort, "127.0.0.1");
  const started = performance.now();
  await new Promise((resolve) => socket.on("close", resolve).resume().on("error", resolve));
  assert.ok(performance.now() - started < 5000, "a silent connection is closed");
});

test("an SVID is replaced under load without a failed request", async () => {
  await using pair = await ProxyPair.start();
  const serials = new Set<string>();
  let failed = 0;
  for (let round = 0; round < 60; round++) {
    if (round % 10 === 5)
      pair.identify(round % 20 === 5 ? pair.client : pair.server, round % 20 === 5 ? CLIENT_ID : SERVER_ID);
    const replies = await Promise.all([1, 2, 3, 4].map(async () => await pair.call().catch(() => undefined)));
    for (const reply of replies) if (reply?.status !== 200) failed++;
    serials.add(
      /Hash=(\w+)/.exec(String(pair.app.seen.at(-1)?.headers["x-forwarded-client-cert"]))?.[1] ?? "",
    );
  }
  assert.equal(failed, 0);
  assert.ok(serials.size >= 3, `the application saw ${serials.size} client certificates`);
});

test("a new trust bundle holds from the next connection on", async () => {
  await using pair = await ProxyPair.start();
  assert.equal((await pair.call()).status, 200);
  const { rootsSecret } = await import("../../test/harness/xds-samples.ts");
  pair.client.ads.set("secret", "ROOTCA", rootsSecret(mintRoot("next").pem));
  await eventually("the old root is no longer believed", async () => (await pair.call()).status === 503);
  pair.client.ads.set("secret", "ROOTCA", rootsSecret(pair.root.pem));
  await eventually("it is believed again", async () => (await pair.call()).status === 200);
});

test("RBAC decides on the verified identity, with 403 and Envoy's words", async () => {
  const allow = (id: string): Parameters<typeof httpRbac>[0] => ({
    policies: {
      "ns[default]-policy[p]-rule[0]": {
        permissions: [{ any: true }],
        principals: [{ authenticated: { principalName: { exact: id } } }],
      },
    },
  });
  await using pair = await ProxyPair.start({
    filters: [httpRbac(allow("spiffe://cluster.local/ns/default/sa/else"))],
  });
  const denied = await pair.call();
  assert.deepEqual([denied.status, denied.body], [403, "RBAC: access denied"]);
  pair.listen({ mode: "STRICT", filters: [httpRbac(allow(CLIENT_ID))] });
  await eventually("the new policy lets the client in", async () => (await pair.call()).status === 200);
  assert.ok(pair.app.seen.length >= 1);
});

test("a policy change holds on connections that are there", async () => {
  await using pair = await ProxyPair.start();
  assert.equal((await pair.call()).status, 200);
  const deny = {
    action: "DENY",
    policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } },
  };
  pair.listen({ mode: "STRICT", filters: [httpRbac(deny)] });
  await eventually("the pooled connection is denied too", async () => (await pair.call()).status === 403);
});

test("garbage instead of a handshake costs the sender its connection and nobody else", async () => {
  await using pair = await ProxyPair.start();
  const garbage = [
    Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
    Buffer.alloc(3000, 0x16),
    Buffer.from("16030100ff010000fb0303", "hex"),
    Buffer.alloc(70_000, 7),
  ];
  for (const bytes of garbage) {
    const socket = tcpConnect(pair.inboundPort, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(bytes);
    await new Promise((resolve) => socket.on("close", resolve).resume());
  }
  assert.equal((await pair.call()).status, 200);
});
