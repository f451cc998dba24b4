import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { call } from "../../test/harness/proxy-pair.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import { inboundHttp, staticCluster } from "../../test/harness/xds-samples.ts";

/** An upstream that answers every read and keeps every byte that reached it. */
let upstream: Server;
let reached = "";
let proxy: TestProxy;
let port = 0;

before(async () => {
  upstream = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      reached += bytes.toString("latin1");
      if (reached.includes("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const place = upstream.address();
  proxy = await TestProxy.start();
  port = await freePort();
  const app = staticCluster("inbound|80||", [typeof place === "object" && place ? place.port : 0]);
  proxy.ads.set("cluster", "inbound|80||", app);
  const manager = { requestHeadersTimeout: "0.4s", upgradeConfigs: [{ upgradeType: "websocket" }] };
  proxy.ads.set(
    "listener",
    `127.0.0.1_${port}`,
    inboundHttp({ port, mode: "DISABLE", cluster: "inbound|80||", manager }),
  );
  await proxy.ready();
});

after(async () => {
  await proxy[Symbol.asyncDispose]();
  upstream.close();
});

/** Sends raw bytes and reads until the proxy closes or answers twice as long as it takes. */
async function send(bytes: string): Promise<string> {
  reached = "";
  const socket: Socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  socket.write(bytes, "latin1");
  await new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    setTimeout(() => socket.destroy(), 1500);
  });
  return answer;
}

const smuggle = "GET /admin HTTP/1.1\r\nhost: a\r\n\r\n";

const refused: readonly { readonly name: string; readonly bytes: string }[] = [
  {
    name: "Content-Length with Transfer-Encoding",
    bytes: `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggle}`,
  },
  {
    name: "two different Content-Lengths",
    bytes: `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 5\r\n\r\nxxxxx${smuggle}`,
  },
  {
    name: "two equal Content-Lengths",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
  },
  { name: "a list of Content-Lengths", bytes: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx" },
  {
    name: "a Content-Length with a sign",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
  },
  {
    name: "a coding before chunked",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "an empty coding before chunked",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: ,chunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "chunked twice",
    bytes:
      "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "an unknown coding",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "a space before the colon",
    bytes: `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n${smuggle}`,
  },
  { name: "a folded header", bytes: "GET / HTTP/1.1\r\nhost: a\r\nx-a: b\r\n c\r\n\r\n" },
  {
    name: "a disguised Transfer-Encoding",
    bytes: "POST / HTTP/1.1\r\nhost: a\r\ntransfer_encoding: chunked\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "a disguised client certificate",
    bytes: "GET / HTTP/1.1\r\nhost: a\r\nX_Forwarded_Client_Cert: URI=spiffe://x\r\n\r\n",
  },
  { name: "two Hosts", bytes: "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n" },
  { name: "no Host", bytes: "GET / HTTP/1.1\r\n\r\n" },
  { name: "an empty Host", bytes: "GET / HTTP/1.1\r\nhost:\r\n\r\n" },
  { name: "a Host with a path", bytes: "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n" },
  { name: "a Host with credentials", bytes: "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n" },
  { name: "an absolute target for another host", bytes: "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "a fragment in the target", bytes: "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "a backslash in the target", bytes: "GET /a\\..\\b HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "bytes beyond ASCII in the target", bytes: "GET /\xe4 HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "an escape that is none", bytes: "GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "an escaped NUL", bytes: "GET /a%00b HTTP/1.1\r\nhost: a\r\n\r\n" },
  { name: "HTTP/1.0", bytes: "GET / HTTP/1.0\r\nhost: a\r\n\r\n" },
  {
    name: "HTTP/1.0 with chunks",
    bytes: "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  { name: "a bare line feed", bytes: "GET / HTTP/1.1\nhost: a\n\n" },
  { name: "a NUL in a header", bytes: "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n" },
  { name: "CONNECT", bytes: "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n" },
  { name: "something like the preface of HTTP/2", bytes: "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" },
  { name: "headers without end", bytes: `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(70_000)}\r\n\r\n` },
  { name: "headers that never come", bytes: "GET / HTTP/1.1\r\nhost: a\r\n" },
];

for (const { name, bytes } of refused) {
  test(`${name} never reaches the upstream`, async () => {
    const answer = await send(bytes);
    assert.equal(reached, "");
    assert.match(answer, /^HTTP\/1\.1 (4\d\d|501) /);
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, "the connection is closed after the refusal");
  });
}

test("a chunk that is none ends both connections, and nothing after it counts as a request", async () => {
  for (const body of [
    "zz\r\nabc\r\n0\r\n\r\n",
    "3\r\nabcdef\r\n0\r\n\r\n",
    "5;\nx\r\nhello\r\n0\r\n\r\n",
    "-1\r\n\r\n",
  ]) {
    await send(`POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${body}${smuggle}`);
    assert.ok(!reached.includes("/admin"), body);
  }
});

test("hop-by-hop headers and h2c stay behind, protected ones cannot be named away", async () => {
  await send(
    [
      "GET / HTTP/1.1",
      "host: a",
      "connection: close, x-private, authorization, x-request-id, host",
      "keep-alive: 1",
      "te: trailers",
      "upgrade: h2c",
      "http2-settings: AAMAAABkAAQAAP__",
      "x-private: 1",
      "authorization: secret",
      "x-request-id: mine",
      "x-lateen-peer-id: root",
      "\r\n",
    ].join("\r\n"),
  );
  for (const gone of ["x-private", "upgrade", "http2-settings", "keep-alive: 1", "te:", "x-lateen"]) {
    assert.ok(!reached.includes(gone), `${gone} in ${reached}`);
  }
  assert.match(reached, /authorization: secret\r\n/);
  assert.match(reached, /x-request-id: mine\r\n/);
  assert.match(reached, /host: a\r\n/);
});

test("the path that policy sees is the path that is forwarded", async () => {
  const paths: Record<string, string> = {
    "/a/../b": "/b",
    "/a/%2e%2E/b": "/b",
    "/%61dmin": "/admin",
    "//a///b": "/a/b",
    "/a/./b/.": "/a/b/",
    "/a%2fb": "/a%2fb",
    "/../../x": "/x",
    "/a/..;/b?x=/../y": "/b?x=/../y",
  };
  for (const [sent, wanted] of Object.entries(paths)) {
    reached = "";
    assert.equal((await call(port, sent)).status, 200);
    assert.equal(reached.split(" ")[1], wanted);
  }
});

test("a request that has no body and says so by saying nothing is not sent in chunks", async () => {
  for (const method of ["POST", "PUT", "PATCH", "PROPFIND"]) {
    await send(`${method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    assert.match(reached, /content-length: 0\r\n/i, method);
    assert.doesNotMatch(reached, /transfer-encoding/i, method);
  }
  await send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  assert.doesNotMatch(reached, /content-length|transfer-encoding/i);
});

test("a hundred headers pass and one more is refused, as with Envoy", async () => {
  const headers = (count: number): string => "x-a: b\r\n".repeat(count);
  const request = (count: number): string =>
    `GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers(count - 2)}\r\n`;
  assert.match(await send(request(100)), /^HTTP\/1\.1 200 /);
  assert.match(await send(request(101)), /^HTTP\/1\.1 431 /);
  assert.equal(reached, "");
});

test("a pipeline of good requests is answered in order", async () => {
  const answer = await send(
    "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
  );
  assert.equal(answer.match(/HTTP\/1\.1 200/g)?.length, 2);
});
