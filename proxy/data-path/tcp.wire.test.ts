import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import { eventually } from "../../test/harness/eventually.ts";
import { CLIENT_ID } from "../../test/harness/proxy-pair.ts";
import { listenTcp, startTcpPair } from "../../test/harness/tcp-pair.ts";
import { mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import { networkRbac, outboundTcp, staticCluster } from "../../test/harness/xds-samples.ts";

/** Reads to the end, answers with what it read, then ends: works only when half-close passes. */
function halfCloseServer(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    const chunks: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => socket.end(Buffer.concat([Buffer.from("got "), ...chunks])));
  });
}

async function talk(socket: Socket, text: string): Promise<string> {
  return await new Promise((resolve) => {
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
    socket.end(text);
  });
}

const open = (port: number): Socket => connect({ port, host: "127.0.0.1", allowHalfOpen: true });

test("TCP passes mTLS both ways, with half-close", async () => {
  const app = halfCloseServer();
  await using mesh = await startTcpPair(await listenTcp(app));
  assert.equal(await talk(open(mesh.port), "hello"), "got hello");
  assert.equal(await talk(open(mesh.port), "x".repeat(1_000_000)), `got ${"x".repeat(1_000_000)}`);
  const metrics = (await mesh.server.admin("/stats/prometheus")).body;
  assert.match(
    metrics,
    new RegExp(`istio_tcp_connections_opened_total{.*source_principal="${CLIENT_ID}".*} 2`),
  );
  assert.match(metrics, /istio_tcp_received_bytes_total{.*} 1000005/);
  assert.match(metrics, /istio_tcp_sent_bytes_total{.*} 1000013/);
  app.close();
});

test("a denied identity gets its connection closed without a byte reaching the application", async () => {
  let connections = 0;
  const app = createServer((socket) => {
    connections++;
    socket.on("error", () => {}).end("hello");
  });
  await using mesh = await startTcpPair(await listenTcp(app));
  const rules = {
    action: "DENY",
    policies: {
      p: {
        permissions: [{ any: true }],
        principals: [{ authenticated: { principalName: { exact: CLIENT_ID } } }],
      },
    },
  };
  mesh.listen("STRICT", [networkRbac(rules)]);
  await eventually("the policy holds", () => mesh.server.ads.acks("listener") >= 2);
  connections = 0;
  assert.equal(await talk(open(mesh.port), "x"), "");
  assert.equal(connections, 0);
  app.close();
});

test("PERMISSIVE: mesh TLS is ended here, the application's own TLS passes through, plain bytes too", async () => {
  const root = mintRoot();
  const own = mintSvid(root, "spiffe://app.own/x");
  const tlsApp = createTlsServer({ cert: own.pem, key: own.keyPem }, (socket) =>
    socket.on("error", () => {}).end("own tls"),
  );
  await using mesh = await startTcpPair(await listenTcp(tlsApp), "PERMISSIVE");
  const throughTls = tlsConnect({
    host: "127.0.0.1",
    port: mesh.inboundPort,
    ca: root.pem,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["postgresql"],
  });
  assert.equal(await talk(throughTls, ""), "own tls");
  const plainApp = halfCloseServer();
  const plainPort = await listenTcp(plainApp);
  mesh.server.ads.set("cluster", "inbound|5432||", staticCluster("inbound|5432||", [plainPort]));
  await eventually("the cluster has changed", () => mesh.server.ads.acks("cluster") >= 2);
  assert.equal(await talk(open(mesh.inboundPort), "plain"), "got plain");
  assert.equal(await talk(open(mesh.port), "mesh"), "got mesh");
  tlsApp.close();
  plainApp.close();
});

test("PERMISSIVE: a server that speaks first is heard", async () => {
  const app = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("220 welcome");
  });
  await using mesh = await startTcpPair(await listenTcp(app), "PERMISSIVE");
  const socket = open(mesh.inboundPort);
  const [greeting] = (await new Promise<unknown[]>((resolve) =>
    socket.once("data", (...data) => resolve(data)),
  )) as [Buffer];
  assert.equal(greeting.toString(), "220 welcome");
  socket.destroy();
  app.close();
});

test("a connection that breaks off on one side is reset on the other, through both proxies", async () => {
  const { promise: seen, resolve } = Promise.withResolvers<string>();
  const app = createServer((socket) => {
    socket.on("end", () => resolve("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.resume();
  });
  await using mesh = await startTcpPair(await listenTcp(app));
  const socket = open(mesh.port);
  socket.on("error", () => {});
  socket.write("x");
  await eventually("both are connected", async () =>
    /cx_active{.*inbound.*} 1/.test((await mesh.server.admin("/stats/prometheus")).body),
  );
  socket.resetAndDestroy();
  assert.equal(await seen, "ECONNRESET");
  app.close();
});

test("weighted clusters share connections, and no endpoint closes them", async () => {
  const named = (name: string): Server => createServer((socket) => socket.on("error", () => {}).end(name));
  const [a, b] = [named("a"), named("b")];
  await using proxy = await TestProxy.start({ random: sequence([0.1, 0.9]) });
  const port = await freePort();
  proxy.ads.set("cluster", "a", staticCluster("a", [await listenTcp(a)]));
  proxy.ads.set("cluster", "b", staticCluster("b", [await listenTcp(b)]));
  proxy.ads.set("cluster", "none", staticCluster("none", []));
  const weighted = {
    weightedClusters: {
      clusters: [
        { name: "a", weight: 50 },
        { name: "b", weight: 50 },
      ],
    },
  };
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundTcp(port, weighted));
  const nonePort = await freePort();
  proxy.ads.set("listener", `127.0.0.1_${nonePort}`, outboundTcp(nonePort, { cluster: "none" }));
  await proxy.ready();
  const answers = new Set<string>();
  for (let index = 0; index < 8; index++) answers.add(await talk(open(port), ""));
  assert.deepEqual([...answers].sort(), ["a", "b"]);
  assert.equal(await talk(open(nonePort), ""), "");
  a.close();
  b.close();
});

function sequence(values: readonly number[]): () => number {
  let index = 0;
  return () => values[index++ % values.length] ?? 0;
}

test("an idle connection is closed when its time is over", async () => {
  const app = createServer((socket) => socket.on("error", () => {}).resume());
  await using proxy = await TestProxy.start();
  const port = await freePort();
  proxy.ads.set("cluster", "app", staticCluster("app", [await listenTcp(app)]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundTcp(port, { cluster: "app", idleTimeout: "0.1s" }));
  await proxy.ready();
  const socket = open(port);
  await new Promise((resolve) => socket.on("error", resolve).on("end", resolve).resume());
  socket.destroy();
  app.close();
});
