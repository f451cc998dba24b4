import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { CLIENT_ID, ProxyPair } from "../../test/harness/proxy-pair.ts";
import { listenTcp, startTcpPair } from "../../test/harness/tcp-pair.ts";
import type { TestProxy } from "../../test/harness/test-proxy.ts";
import { networkRbac } from "../../test/harness/xds-samples.ts";

/** Connections that a proxy's listeners have, by its own admin interface. */
async function connectionsOf(proxy: TestProxy): Promise<number> {
  const { body } = await proxy.admin("/stats/prometheus");
  return [...body.matchAll(/^envoy_listener_downstream_cx_active\{[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

test("requests of many connections go through one between the proxies", async () => {
  await using pair = await ProxyPair.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  await pair.call("/first", { agent });
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) => pair.call(`/${index}`, { agent })),
  );
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  assert.equal(await connectionsOf(pair.client), 20);
  assert.equal(await connectionsOf(pair.server), 1);
  assert.equal(pair.app.seen.length, 101);
  agent.destroy();
});

test("bodies of every size arrive whole, in both directions at once", async () => {
  await using pair = await ProxyPair.start();
  const sizes = [0, 1, 1000, 65_535, 65_536, 65_537, 1_000_000, 5_000_000];
  const replies = await Promise.all(
    sizes.map((size) => pair.call("/", { method: "POST", body: Buffer.alloc(size, "x") })),
  );
  assert.deepEqual(
    replies.map(({ body }) => body.length),
    sizes,
  );
});

test("a new SVID means a new connection; what runs on the old one ends there", async () => {
  const asked = Promise.withResolvers<() => void>();
  await using pair = await ProxyPair.start({
    app: (request, response) => {
      if (request.url === "/slow") asked.resolve(() => response.end("at last"));
      else response.end("quick");
    },
  });
  const slow = pair.call("/slow");
  const answer = await asked.promise;
  pair.identify(pair.client, CLIENT_ID);
  let quick = await pair.call("/");
  for (let tries = 0; tries < 100 && (await connectionsOf(pair.server)) < 2; tries++)
    quick = await pair.call("/");
  assert.equal(quick.body, "quick");
  assert.equal(await connectionsOf(pair.server), 2);
  answer();
  assert.equal((await slow).body, "at last");
});

async function say(port: number, text: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.on("error", () => {});
  socket.end(text);
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  await once(socket, "close");
  return heard;
}

/** Answers what it hears, when it has heard all of it. */
function echo(): Server {
  return createServer({ allowHalfOpen: true }, (socket: Socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
}

test("TCP connections go through one between the proxies, each with its two ends", async () => {
  await using mesh = await startTcpPair(await listenTcp(echo().unref()));
  const texts = Array.from({ length: 60 }, (_, index) => `${index} `.repeat(1 + index * 500));
  const heard = await Promise.all(texts.map((text) => say(mesh.port, text)));
  assert.deepEqual(heard, texts);
  assert.equal(await connectionsOf(mesh.server), 1);
});

test("a server that says nothing more, and a caller that does not listen, hold up no other", async () => {
  await using mesh = await startTcpPair(
    await listenTcp(
      createServer((socket) => {
        socket.on("error", () => {});
        socket.write(Buffer.alloc(3_000_000, "x"));
        socket.on("data", (chunk: Buffer) => socket.write(chunk));
      }).unref(),
    ),
  );
  const deaf = connect({ host: "127.0.0.1", port: mesh.port });
  deaf.on("error", () => {});
  await once(deaf, "connect");
  deaf.pause();
  const socket = connect({ host: "127.0.0.1", port: mesh.port });
  let count = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      count += chunk.length;
      if (count === 3_000_000) socket.write("more");
      if (count === 3_000_004) resolve();
    });
  });
  assert.equal(await connectionsOf(mesh.server), 1);
  deaf.destroy();
  socket.destroy();
});

test("a server that resets a connection resets the caller's, and no other", async () => {
  await using mesh = await startTcpPair(
    await listenTcp(
      createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (chunk: Buffer) => {
          if (chunk.toString() === "die") socket.resetAndDestroy();
          else socket.write(chunk);
        });
      }).unref(),
    ),
  );
  const good = connect({ host: "127.0.0.1", port: mesh.port });
  good.write("one");
  await once(good, "data");
  const bad = connect({ host: "127.0.0.1", port: mesh.port });
  bad.write("die");
  const [error] = (await once(bad, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  good.write("two");
  const [answer] = (await once(good, "data")) as [Buffer];
  assert.equal(answer.toString(), "two");
  good.destroy();
});

test("a policy that comes later holds for the next connection, though the tunnel was there before", async () => {
  await using mesh = await startTcpPair(await listenTcp(echo().unref()));
  assert.equal(await say(mesh.port, "before"), "before");
  const nobody = {
    action: "DENY",
    policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } },
  };
  const acknowledged = mesh.server.ads.acks("listener");
  mesh.listen("STRICT", [networkRbac(nobody)]);
  while (mesh.server.ads.acks("listener") === acknowledged)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await say(mesh.port, "after"), "");
});

test("a limit of connections counts those in the tunnel", async () => {
  await using mesh = await startTcpPair(await listenTcp(echo().unref()), "STRICT", {
    circuitBreakers: { thresholds: [{ maxConnections: 2 }] },
  });
  const held = [1, 2].map(() => connect({ host: "127.0.0.1", port: mesh.port }));
  for (const socket of held) {
    socket.write("x");
    await once(socket, "data");
  }
  assert.equal(await say(mesh.port, "third"), "");
  held[0]?.destroy();
  let heard = "";
  for (let tries = 0; tries < 100 && heard === ""; tries++) heard = await say(mesh.port, "again");
  assert.equal(heard, "again");
  held[1]?.destroy();
});

test("a server that stops says so first: what was on its way is answered, and later calls find nobody", async () => {
  await using pair = await ProxyPair.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const failures = new Set<string>();
  const seen = { answered: 0 };
  const over = new AbortController();
  const lane = async (): Promise<void> => {
    while (!over.signal.aborted) {
      // Not repeated by itself: what is lost is seen.
      const { status, body } = await pair.call("/", { method: "POST", body: "x", agent });
      if (status === 200) seen.answered++;
      else failures.add(body.split("reset reason: ").at(-1) ?? body);
    }
  };
  const lanes = Array.from({ length: 8 }, lane);
  while (seen.answered < 50) await new Promise((resolve) => setTimeout(resolve, 5));
  await pair.server.stop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  over.abort();
  await Promise.all(lanes);
  agent.destroy();
  assert.deepEqual([...failures], ["remote connection failure"]);
});
