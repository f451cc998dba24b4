import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { ProxyPair } from "../../test/harness/proxy-pair.ts";

test("large bodies pass both ways unchanged", async () => {
  await using pair = await ProxyPair.start();
  const body = randomBytes(5_000_000);
  const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const received = await new Promise<Buffer>((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port: pair.port, method: "POST", agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks)));
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
  assert.equal(digest(received), digest(body));
});

test("a slow reader holds the sender back", async () => {
  let written = 0;
  await using pair = await ProxyPair.start({
    app: (_request, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (written < 200_000_000) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once("drain", more);
            return;
          }
        }
      };
      more();
    },
  });
  const asked = request({ host: "127.0.0.1", port: pair.port, agent: false });
  asked.on("error", () => {});
  const response = await new Promise<NodeJS.ReadableStream>((resolve) => asked.on("response", resolve).end());
  response.pause();
  let before = -1;
  await eventually("the application waits", async () => {
    const waited = written === before;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return waited && written === before;
  });
  assert.ok(written < 50_000_000, `${written} bytes were taken for a reader that reads nothing`);
  asked.destroy();
});

test("when the caller goes away the application is told", async () => {
  const { promise: told, resolve } = Promise.withResolvers<void>();
  await using pair = await ProxyPair.start({ app: (_request, response) => response.on("close", resolve) });
  const asked = request({ host: "127.0.0.1", port: pair.port, agent: false });
  asked.on("error", () => {});
  asked.end();
  await eventually("the application has it", () => pair.app.seen.length === 1);
  asked.destroy();
  await told;
  await eventually("it is told as DC", async () =>
    /response_flags="DC"/.test((await pair.client.admin("/stats/prometheus")).body),
  );
});

test("an early answer to a body that is still coming arrives", async () => {
  await using pair = await ProxyPair.start({
    app: (_request, response) => response.writeHead(413).end("enough"),
  });
  const asked = request({ host: "127.0.0.1", port: pair.port, method: "POST", agent: false });
  asked.on("error", () => {});
  const status = new Promise<number>((resolve) =>
    asked.on("response", (response) => resolve(response.resume().statusCode ?? 0)),
  );
  asked.write(Buffer.alloc(100_000));
  assert.equal(await status, 413);
  asked.destroy();
});

test("Expect: 100-continue is answered here", async () => {
  await using pair = await ProxyPair.start();
  const asked = request({
    host: "127.0.0.1",
    port: pair.port,
    method: "POST",
    headers: { expect: "100-continue" },
    agent: false,
  });
  await new Promise((resolve) => asked.on("continue", resolve).flushHeaders());
  const response = await new Promise<NodeJS.ReadableStream>((resolve) =>
    asked.on("response", resolve).end("body"),
  );
  let text = "";
  for await (const chunk of response) text += String(chunk);
  assert.equal(text, "body");
});

test("one kept-alive connection serves many requests", async () => {
  await using pair = await ProxyPair.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let index = 0; index < 50; index++) {
    assert.equal((await pair.call("/", { agent, method: "POST", body: `b${index}` })).body, `b${index}`);
  }
  assert.equal(Object.values(agent.freeSockets).flat().length, 1);
  agent.destroy();
});

const handshake = (upgrade: string): string =>
  `GET /chat HTTP/1.1\r\nhost: server\r\nconnection: Upgrade\r\nupgrade: ${upgrade}\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\nsec-websocket-version: 13\r\n\r\n`;

test("a WebSocket passes both proxies, both ways", async () => {
  const upgradeConfigs = [{ upgradeType: "websocket" }];
  await using pair = await ProxyPair.start({ manager: { upgradeConfigs } });
  const { outboundHttp } = await import("../../test/harness/xds-samples.ts");
  const listener = outboundHttp(pair.port, "server.default.svc.cluster.local:80", { upgradeConfigs });
  const acks = pair.client.ads.acks("listener");
  pair.client.ads.set("listener", `127.0.0.1_${pair.port}`, listener);
  await eventually("the listener is there", () => pair.client.ads.acks("listener") > acks);
  pair.app.server.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nwelcome ",
    );
    socket.pipe(socket);
  });
  const socket = connect(pair.port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(handshake("websocket"));
  await eventually("the greeting", () => text.includes("welcome "));
  socket.write("ping");
  await eventually("the echo", () => text.endsWith("welcome ping"));
  assert.match(text, /^HTTP\/1\.1 101 /);
  socket.destroy();
});

test("an upgrade that is not allowed is a plain request", async () => {
  await using pair = await ProxyPair.start();
  const socket = connect(pair.port, "127.0.0.1");
  socket.write(handshake("websocket"));
  await eventually("the application has it", () => pair.app.seen.length === 1);
  assert.equal(pair.app.seen[0]?.headers.upgrade, undefined);
  socket.destroy();
});
