import assert from "node:assert/strict";
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { listen, startProxy, type TestListener } from "./testing/chain.ts";
import { Random } from "./testing/random.ts";

/** Node's own HTTP/2 at both ends, our two roles in between: what one says, the other must hear. */
const SEED = Number(process.env["FUZZ_SEED"] ?? 1);
const EXCHANGES = 60;

interface Answered {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: Buffer;
  readonly code: number;
}

let origin: Http2Server;
let proxy: TestListener;
/** What the origin does with a stream; each test sets its own. */
let serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void = () => {};

before(async () => {
  origin = createServer({ settings: { initialWindowSize: 1000, maxConcurrentStreams: 40 } });
  origin.on("session", (session) => session.on("error", () => {}));
  origin.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    serve(stream, headers);
  });
  proxy = await startProxy(await listen(origin));
});

after(async () => {
  await proxy[Symbol.asyncDispose]();
  origin.close();
});

function client(initialWindowSize = 65_535): ClientHttp2Session & Disposable {
  const session = connect(`http://127.0.0.1:${proxy.port}`, { settings: { initialWindowSize } });
  session.on("error", () => {});
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}

async function ask(
  session: ClientHttp2Session,
  headers: IncomingHttpHeaders & Record<string, string | string[] | number | undefined>,
  body: Buffer | undefined,
  trailers?: Record<string, string>,
): Promise<Answered> {
  const stream = session.request(headers, {
    endStream: body === undefined,
    waitForTrailers: trailers !== undefined,
  });
  const chunks: Buffer[] = [];
  let answer: IncomingHttpHeaders = {};
  let ending: IncomingHttpHeaders | undefined;
  stream.on("error", () => {});
  stream.on("response", (given) => (answer = given));
  stream.on("trailers", (given) => (ending = given));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
  if (body !== undefined) stream.end(body);
  await new Promise<void>((resolve) => stream.on("close", () => resolve()));
  return { headers: answer, trailers: ending, body: Buffer.concat(chunks), code: stream.rstCode };
}

for (const window of [65_535, 100, 1, 1_000_000]) {
  test(`bodies, headers and trailers arrive as they were sent: windows of ${window}, seed ${SEED}`, async () => {
    const random = new Random(SEED * 7919 + window);
    serve = (stream, headers) => {
      const names = Object.keys(headers).filter((name) => name.startsWith("x-"));
      stream.respond(
        {
          ":status": 200,
          ...Object.fromEntries(names.map((name) => [name, headers[name]])),
          "set-cookie": ["a", "b"],
        },
        { waitForTrailers: true },
      );
      let trailers: IncomingHttpHeaders = {};
      stream.on("trailers", (given) => (trailers = given));
      stream.on("wantTrailers", () =>
        stream.sendTrailers({ ...trailers, "x-length": String(headers["content-length"]) }),
      );
      stream.pipe(stream);
    };
    using session = client(window);
    // After it the proxy knows how many streams the origin takes.
    await ask(session, { ":path": "/" }, undefined);
    const most = window === 1 ? 60 : window === 100 ? 5000 : 300_000;
    const exchanges = Array.from({ length: EXCHANGES }, async (_, index) => {
      await delay(random.below(20));
      const body = random.chance(0.2) ? Buffer.alloc(0) : Buffer.alloc(random.below(most), `${index} `);
      const extra = `${index}${"x".repeat(random.below(200))}`;
      const sized = random.chance(0.5) ? { "content-length": String(body.length) } : {};
      const answered = await ask(
        session,
        { ":method": "POST", ":path": `/${index}`, "x-extra": extra, ...sized },
        body,
        {
          "x-sum": String(index),
        },
      );
      assert.equal(answered.code, constants.NGHTTP2_NO_ERROR);
      assert.equal(answered.headers["x-extra"], extra);
      assert.deepEqual(answered.headers["set-cookie"], ["a", "b"]);
      assert.ok(answered.body.equals(body), `${answered.body.length} of ${body.length} bytes`);
      assert.equal(answered.trailers?.["x-sum"], String(index));
      assert.equal(answered.trailers?.["x-length"], String(sized["content-length"]));
    });
    await Promise.all(exchanges);
    assert.equal(proxy.sessions.at(-1)?.active, 0);
  });
}

test("resets reach the other side with their meaning, from either", async () => {
  const cancelled: string[] = [];
  serve = (stream, headers) => {
    if (headers[":path"] === "/hang") stream.on("aborted", () => cancelled.push("/hang"));
    if (headers[":path"] === "/refuse") stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ":status": 200 });
    if (headers[":path"] === "/fail") setImmediate(() => stream.destroy(new Error("broken")));
  };
  using session = client();
  assert.equal(
    (await ask(session, { ":path": "/refuse" }, undefined)).code,
    constants.NGHTTP2_REFUSED_STREAM,
  );
  assert.equal((await ask(session, { ":path": "/fail" }, undefined)).code, constants.NGHTTP2_CANCEL);
  const stream = session.request({ ":path": "/hang" });
  stream.on("error", () => {});
  await new Promise<void>((resolve) => stream.on("response", () => resolve()));
  stream.close(constants.NGHTTP2_CANCEL);
  for (let wait = 0; cancelled.length === 0 && wait < 200; wait++) await delay(10);
  assert.deepEqual(cancelled, ["/hang"]);
});

test("interim answers, HEAD and answers without a body", async () => {
  serve = (stream, headers) => {
    stream.additionalHeaders({ ":status": 103, link: "</a>" });
    if (headers[":path"] === "/none") stream.respond({ ":status": 204 }, { endStream: true });
    else stream.respond({ ":status": 200, "content-length": "12" }, { endStream: true });
  };
  using session = client();
  const head = await ask(session, { ":method": "HEAD", ":path": "/" }, undefined);
  assert.equal(head.headers["content-length"], "12");
  assert.equal(head.body.length, 0);
  assert.equal((await ask(session, { ":path": "/none" }, undefined)).headers[":status"], 204);
  const stream = session.request({ ":method": "HEAD", ":path": "/" });
  const interim = await new Promise<IncomingHttpHeaders>((resolve) => stream.on("headers", resolve));
  assert.equal(interim[":status"], 103);
  assert.equal(interim["link"], "</a>");
});

test("who reads slowly holds the sender back, and not the others", async () => {
  const total = 8_000_000;
  let sent = 0;
  serve = (stream, headers) => {
    stream.respond({ ":status": 200 });
    if (headers[":path"] !== "/slow") {
      stream.end("quick");
      return;
    }
    const push = (): void => {
      while (sent < total) {
        sent += 10_000;
        if (!stream.write(Buffer.alloc(10_000))) {
          stream.once("drain", push);
          return;
        }
      }
      stream.end();
    };
    push();
  };
  using session = client();
  const slow = session.request({ ":path": "/slow" });
  await new Promise<void>((resolve) => slow.on("response", () => resolve()));
  await delay(200);
  assert.ok(sent < 600_000, `${sent} bytes left the origin though nobody reads`);
  assert.equal((await ask(session, { ":path": "/quick" }, undefined)).body.toString(), "quick");
  let received = 0;
  slow.on("data", (chunk: Buffer) => (received += chunk.length));
  await new Promise<void>((resolve) => slow.on("end", () => resolve()));
  assert.equal(received, total);
});

test("a drained proxy finishes what runs, and its client hears of the end", async () => {
  let finish: () => void = () => {};
  serve = (stream) => {
    stream.respond({ ":status": 200 });
    finish = () => stream.end("done");
  };
  using session = client();
  const answered = ask(session, { ":path": "/" }, undefined);
  for (let wait = 0; proxy.sessions.at(-1)?.active !== 1 && wait < 200; wait++) await delay(10);
  await delay(50);
  proxy.sessions.at(-1)?.drain();
  const goaway = await new Promise<number>((resolve) => session.on("goaway", resolve));
  assert.equal(goaway, constants.NGHTTP2_NO_ERROR);
  finish();
  assert.equal((await answered).body.toString(), "done");
  if (!session.closed) await new Promise<void>((resolve) => session.on("close", () => resolve()));
});

test("an upgrade to WebSocket's protocol goes through both hops (RFC 8441)", async () => {
  origin.removeAllListeners("stream");
  const upgraded = createServer({ settings: { enableConnectProtocol: true } });
  upgraded.on("stream", (stream, headers) => {
    stream.respond({ ":status": headers[":protocol"] === "websocket" ? 200 : 400 });
    stream.pipe(stream);
  });
  await using front = await startProxy(await listen(upgraded));
  const session = connect(`http://127.0.0.1:${front.port}`);
  await new Promise<void>((resolve) => session.on("remoteSettings", () => resolve()));
  const quick = session.request({ ":path": "/" });
  quick.resume();
  await new Promise<void>((resolve) => quick.on("close", () => resolve()));
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/",
    ":scheme": "http",
  });
  stream.write("ping");
  const echoed = await new Promise<Buffer>((resolve) => stream.on("data", resolve));
  assert.equal(echoed.toString(), "ping");
  session.destroy();
  upgraded.close();
});
