import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { call } from "../../test/harness/proxy-pair.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import {
  httpOptions,
  ISTIO_FORMAT,
  outboundHttp,
  routeConfig,
  routeTo,
  staticCluster,
  stdoutLog,
} from "../../test/harness/xds-samples.ts";

/** Paths under `/two` go to an application of HTTP/2, the others to one of HTTP/1.1. */
let proxy: TestProxy;
let port: number;
let session: ClientHttp2Session;
/** What the application of HTTP/1.1 got. */
const seen: IncomingMessage[] = [];
/** How the application of HTTP/2 answers. */
let answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void = () => {};
const one = createHttpServer((incoming, response) => {
  seen.push(incoming);
  incoming.pipe(response);
});
const two: Http2Server = createServer({ settings: { enableConnectProtocol: true } });
const accept = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

before(async () => {
  one.on("upgrade", (incoming: IncomingMessage, socket: Socket) => {
    seen.push(incoming);
    const key = accept(incoming.headers["sec-websocket-key"] ?? "");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${key}\r\n\r\n`,
    );
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  two.on("stream", (stream, headers) => answer(stream, headers));
  for (const server of [one, two])
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy = await TestProxy.start();
  port = await freePort();
  const at = (server: typeof one | Http2Server): number => (server.address() as AddressInfo).port;
  proxy.ads.set("cluster", "one", staticCluster("one", [at(one)]));
  const http2 = httpOptions({ explicitHttpConfig: { http2ProtocolOptions: {} } });
  proxy.ads.set("cluster", "two", staticCluster("two", [at(two)], http2));
  const accessLog = [stdoutLog(ISTIO_FORMAT)];
  const upgradeConfigs = [{ upgradeType: "websocket" }];
  const routes = [
    routeTo(
      "two",
      { match: { prefix: "/two" } },
      { retryPolicy: { retryOn: "refused-stream", numRetries: 2 } },
    ),
    { match: { prefix: "/direct" }, directResponse: { status: 200, body: { inlineString: "hello" } } },
    routeTo("one"),
  ];
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, "routes", { accessLog, upgradeConfigs }));
  proxy.ads.set("route", "routes", routeConfig("routes", routes));
  await proxy.ready();
  session = connect(`http://127.0.0.1:${port}`);
});

after(async () => {
  session.destroy();
  await proxy[Symbol.asyncDispose]();
  one.closeAllConnections();
  one.close();
  two.close();
});

beforeEach(() => {
  seen.length = 0;
});

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: string;
}

async function ask(headers: OutgoingHttpHeaders, body?: string): Promise<Reply> {
  const stream = session.request({ ":authority": "shop", ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return await reply(stream);
}

async function reply(stream: ClientHttp2Stream): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let body = "";
  stream.on("response", (received) => (headers = received));
  stream.on("trailers", (received) => (trailers = received));
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => (body += text));
  stream.on("error", reject);
  stream.on("end", () => resolve({ status: Number(headers[":status"]), headers, trailers, body }));
  return await promise;
}

const field = (name: string): unknown => seen[0]?.headers[name];

test("a caller of HTTP/2 reaches an application of HTTP/1.1, which gets one Cookie and a Host", async () => {
  const answered = await ask({ ":method": "POST", ":path": "/a?b", cookie: ["a=1", "b=2"] }, "hello");
  assert.deepEqual([answered.status, answered.body], [200, "hello"]);
  assert.deepEqual([seen[0]?.method, seen[0]?.url, seen[0]?.httpVersion], ["POST", "/a?b", "1.1"]);
  assert.deepEqual(["cookie", "host", "te", "x-forwarded-proto"].map(field), [
    "a=1; b=2",
    "shop",
    undefined,
    "http",
  ]);
  const line = await eventually("a line of the log", () =>
    proxy.logLines.find((text) => text.includes("/a?b")),
  );
  assert.match(line, /"POST \/a\?b HTTP\/2" 200 - via_upstream/);
});

test("an answer of gRPC is counted by the status that comes after it", async () => {
  answer = (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "5", "x-trailer": "after" }));
    stream.end("x");
  };
  const answered = await ask(
    { ":method": "POST", ":path": "/two/grpc", "content-type": "application/grpc" },
    "x",
  );
  assert.deepEqual(
    [answered.status, answered.body, answered.trailers?.["grpc-status"], answered.trailers?.["x-trailer"]],
    [200, "x", "5", "after"],
  );
  const metrics = (await proxy.admin("/stats/prometheus")).body;
  assert.match(metrics, /istio_requests_total{.*request_protocol="grpc".*grpc_response_status="5"/);
});

test("a caller of HTTP/1.1 reaches an application of HTTP/2; what comes after the body stays behind", async () => {
  answer = (stream, headers) => {
    stream.respond({ ":status": 201, "x-te": String(headers["te"]) }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailer": "after" }));
    stream.pipe(stream);
  };
  const answered = await call(port, "/two/x", { method: "POST", body: "hello" });
  assert.deepEqual([answered.status, answered.body, answered.headers["x-te"]], [201, "hello", "trailers"]);
});

test("the answer to HEAD has a length and no body", async () => {
  const answered = await ask({ ":method": "HEAD", ":path": "/direct" });
  assert.deepEqual([answered.status, answered.headers["content-length"], answered.body], [200, "5", ""]);
});

test("an answer of our own does not end the connection, though the request's body is not read", async () => {
  const stream = session.request({ ":method": "POST", ":path": "/direct", ":authority": "shop" });
  assert.equal((await reply(stream)).body, "hello");
  assert.equal((await ask({ ":path": "/after" })).status, 200);
});

test("CONNECT is not served, nor is a change to a protocol that the listener does not allow", async () => {
  const tunnel = await ask({ ":method": "CONNECT", ":authority": "shop:80" });
  assert.equal(tunnel.status, 405);
  const other = session.request(
    { ":method": "CONNECT", ":protocol": "other", ":scheme": "http", ":path": "/", ":authority": "shop" },
    { endStream: false },
  );
  assert.equal((await reply(other)).status, 403);
  assert.equal(seen.length, 0);
});

test("a header that some servers take for one of identity is refused, and so is a backslash in the path", async () => {
  for (const headers of [{ x_forwarded_client_cert: "URI=spiffe://x/ns/a/sa/b" }, { ":path": "/a\\b" }])
    await assert.rejects(ask({ ":path": "/", ...headers }), /PROTOCOL_ERROR/);
  assert.equal(seen.length, 0);
});

test("a WebSocket of HTTP/2 goes on as one of HTTP/1.1, with a key of ours", async () => {
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/ws",
      ":authority": "shop",
    },
    { endStream: false },
  );
  const [headers] = await once(stream, "response");
  assert.deepEqual([headers[":status"], headers["sec-websocket-accept"]], [200, undefined]);
  assert.match(String(field("sec-websocket-key")), /^[A-Za-z0-9+/]{22}==$/);
  stream.write("frame");
  assert.equal(String((await once(stream, "data"))[0]), "frame");
  stream.close();
});

test("a WebSocket of HTTP/1.1 goes on as one of HTTP/2, and its caller's key is answered", async () => {
  answer = (stream, headers) => {
    assert.equal(headers[":protocol"], "websocket");
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  };
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const asked = request({
    port,
    path: "/two/ws",
    headers: { connection: "upgrade", upgrade: "websocket", "sec-websocket-key": key },
  });
  asked.end();
  const [response, socket] = (await once(asked, "upgrade")) as [IncomingMessage, Socket];
  assert.equal(response.headers["sec-websocket-accept"], accept(key));
  socket.write("frame");
  assert.equal(String((await once(socket, "data"))[0]), "frame");
  socket.on("error", () => {});
  socket.destroy();
});

test("a request that the upstream refuses unseen is made again, one that it resets is not", async () => {
  let count = 0;
  answer = (stream) => {
    stream.on("error", () => {});
    if (count++ === 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else {
      stream.respond({ ":status": 200 });
      stream.end("second");
    }
  };
  assert.equal((await ask({ ":method": "POST", ":path": "/two/refused" }, "x")).body, "second");
  count = 0;
  answer = (stream) => {
    count++;
    stream.on("error", () => {});
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  };
  const answered = await ask({ ":path": "/two/reset" });
  assert.deepEqual([answered.status, count], [503, 1]);
  assert.match(answered.body, /reset reason: remote reset$/);
  const line = await eventually("its line", () => proxy.logLines.find((text) => text.includes("/two/reset")));
  assert.match(line, / 503 UR upstream_reset_before_response_started\{remote_reset\}/);
});

test("a caller that gives up is given up at the upstream", async () => {
  const given = new Promise<number>((resolve) => {
    answer = (stream) => {
      stream.on("error", () => {});
      stream.on("close", () => resolve(stream.rstCode));
    };
  });
  const stream = session.request({ ":path": "/two/slow", ":authority": "shop" });
  stream.on("error", () => {});
  await eventually("it is there", () => stream.sentHeaders !== undefined);
  setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 50);
  assert.equal(await given, constants.NGHTTP2_CANCEL);
});
