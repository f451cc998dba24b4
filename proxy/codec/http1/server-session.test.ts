import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryWire } from "../../../test/fakes/memory-wire.ts";
import { type LoggedRequest, RequestLog } from "../../../test/fakes/stream-log.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import { FULL_BYTES } from "../../transport/wire.ts";
import type { BodyLength } from "../stream.ts";
import { type Http1ServerOptions, Http1ServerSession } from "./server-session.ts";

interface Served {
  readonly wire: MemoryWire;
  readonly log: RequestLog;
  readonly session: Http1ServerSession;
}

const OPTIONS = { maxHeadBytes: 1024, headMs: 0, requestMs: 0, idleMs: 0 };

function serve(then?: (request: LoggedRequest) => void, options: Partial<Http1ServerOptions> = {}): Served {
  const wire = new MemoryWire();
  const log = new RequestLog(then);
  const alarms = new Alarms(() => performance.now());
  return { wire, log, session: new Http1ServerSession(wire, log, { ...OPTIONS, alarms, ...options }) };
}

function answer(
  { stream }: LoggedRequest,
  text = "ok",
  body: BodyLength = { kind: "sized", bytes: text.length },
): void {
  stream.respond({ status: 200, headers: new HeaderList(), body });
  stream.data(Buffer.from(text));
  stream.end(undefined);
}

const GET = "GET /a?b HTTP/1.1\r\nHost: shop\r\nX-A: 1\r\n\r\n";

test("a request is told with its head, however its bytes come", () => {
  for (let cut = 1; cut < GET.length; cut++) {
    const { wire, log } = serve();
    wire.receive(GET.slice(0, cut));
    wire.receive(GET.slice(cut));
    assert.equal(log.requests.length, 1, `cut at ${cut}`);
    const { head } = log.requests[0] as LoggedRequest;
    assert.deepEqual(
      [head.method, head.target, head.authority, head.headers.toRaw(), head.body.kind],
      ["GET", "/a?b", "shop", ["X-A", "1"], "none"],
    );
  }
  const { wire, log } = serve();
  for (const byte of GET) wire.receive(byte);
  assert.equal(log.requests.length, 1);
});

test("a chunked body is told without its framing, however its bytes come", () => {
  const body = "5;x=y\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n";
  const head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (let cut = 0; cut <= body.length; cut++) {
    const { wire, log } = serve();
    wire.receive(head + body.slice(0, cut));
    wire.receive(`${body.slice(cut)}${GET}`);
    assert.equal(log.requests.length, 1, "the next waits for the answer");
    const [first] = log.requests;
    assert.deepEqual([first?.sink.body, first?.sink.ends], ["hello 0123456789", 1], `cut at ${cut}`);
    answer(first as LoggedRequest);
    assert.equal(log.requests.length, 2);
  }
});

for (const name of ["Transfer-Encoding", "content-length", "Host", "connection", "upgrade"]) {
  test(`a trailer ${name} breaks the request: other readers go by it`, () => {
    const { wire, log } = serve();
    const head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    wire.receive(`${head}1\r\na\r\n0\r\nX-T: 1\r\n${name}: chunked\r\n\r\n`);
    const [first] = log.requests;
    assert.equal(first?.sink.ends, 0);
    assert.deepEqual(first?.sink.cause, { kind: "protocol", reason: "trailers" });
    assert.match(wire.take(), /^HTTP\/1\.1 400 /);
  });
}

test("answers come in the order of their requests, and a request that was sent ahead waits", () => {
  const { wire, log } = serve();
  wire.receive(GET + GET);
  assert.equal(log.requests.length, 1);
  assert.ok(wire.isPaused);
  answer(log.requests[0] as LoggedRequest, "one");
  assert.equal(log.requests.length, 2);
  assert.ok(!wire.isPaused);
  answer(log.requests[1] as LoggedRequest, "two");
  assert.equal(
    wire.take(),
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo",
  );
  assert.deepEqual(
    log.requests.map(({ closed }) => closed),
    [true, true],
  );
});

test("an answer that the kernel does not take holds the next request back", () => {
  const { wire, log } = serve();
  wire.receive(GET + GET);
  wire.pending = FULL_BYTES;
  answer(log.requests[0] as LoggedRequest);
  assert.deepEqual([log.requests.length, log.requests[0]?.closed], [1, undefined]);
  wire.drain();
  assert.deepEqual([log.requests.length, log.requests[0]?.closed], [2, true]);
});

test("who takes a body slowly holds its sender back", () => {
  const { wire, log } = serve(({ stream, sink }) => {
    sink.takesMore = false;
    stream.receive(sink);
  });
  wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc");
  assert.ok(wire.isPaused);
  const { stream, sink } = log.requests[0] as LoggedRequest;
  wire.receive("def");
  assert.equal(sink.body, "abc");
  sink.takesMore = true;
  stream.resume();
  assert.equal(sink.body, "abcdef");
  assert.ok(!wire.isPaused);
  wire.receive("ghi");
  assert.deepEqual([sink.body, sink.ends], ["abcdefghi", 1]);
});

test("a body that nobody has asked for yet waits", () => {
  const { wire, log } = serve(() => {});
  wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
  assert.ok(wire.isPaused);
  const { stream, sink } = log.requests[0] as LoggedRequest;
  stream.receive(sink);
  assert.deepEqual([sink.body, sink.ends, wire.isPaused], ["abc", 1, false]);
});

test("an answer of unknown length goes in chunks, and one to HEAD without its body", () => {
  const { wire, log } = serve();
  wire.receive(GET);
  answer(log.requests[0] as LoggedRequest, "hello", { kind: "streamed" });
  assert.equal(wire.take(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  wire.receive(GET.replace("GET", "HEAD"));
  answer(log.requests[1] as LoggedRequest, "hello");
  assert.equal(wire.take(), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  wire.receive(GET.replace("GET", "HEAD"));
  log.requests[2]?.stream.respond({
    status: 200,
    headers: new HeaderList(),
    body: { kind: "none", announced: 7 },
  });
  assert.equal(wire.take(), "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
  assert.equal(wire.isEnded, false);
});

test("framing is said by the codec alone", () => {
  const { wire, log } = serve();
  wire.receive(GET);
  const headers = HeaderList.fromRaw([
    "Connection",
    "x",
    "Content-Length",
    "9",
    "Transfer-Encoding",
    "gzip",
    "x-a",
    "b",
  ]);
  log.requests[0]?.stream.respond({ status: 204, headers, body: { kind: "none" } });
  assert.equal(wire.take(), "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n");
});

test("an answer shorter than it says breaks the connection off", () => {
  const { wire, log } = serve();
  wire.receive(GET);
  answer(log.requests[0] as LoggedRequest, "ok", { kind: "sized", bytes: 3 });
  assert.ok(wire.isDestroyed);
  wire.close();
  assert.equal(log.requests[0]?.closed, false);
});

test("a connection closes after `connection: close`, and when it drains", () => {
  const closing = serve();
  closing.wire.receive(GET.replace("X-A: 1", "Connection: close"));
  answer(closing.log.requests[0] as LoggedRequest);
  assert.match(closing.wire.take(), /\r\nconnection: close\r\n/);
  assert.ok(closing.wire.isEnded);
  closing.wire.receive(GET);
  assert.equal(closing.log.requests.length, 1, "what comes after is dropped");

  const draining = serve();
  draining.session.drain();
  draining.wire.receive(GET);
  answer(draining.log.requests[0] as LoggedRequest);
  assert.match(draining.wire.take(), /\r\nconnection: close\r\n/);
  assert.ok(draining.wire.isEnded);
});

test("a connection that drains in the middle of an answer serves another request before it closes", () => {
  const { wire, log, session } = serve();
  wire.receive(GET);
  const [first] = log.requests;
  first?.stream.respond({ status: 200, headers: new HeaderList(), body: { kind: "streamed" } });
  session.drain();
  first?.stream.end(undefined);
  assert.equal(wire.isEnded, false, "its head has promised more");
  wire.take();
  wire.receive(GET);
  answer(log.requests[1] as LoggedRequest);
  assert.match(wire.take(), /\r\nconnection: close\r\n/);
  assert.ok(wire.isEnded);
});

test("the rest of a body that nobody wants is dropped, and the connection used again, within bounds", () => {
  const { wire, log } = serve();
  wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc");
  answer(log.requests[0] as LoggedRequest);
  wire.receive(`def${GET}`);
  assert.equal(log.requests.length, 2);

  const large = serve();
  large.wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n");
  answer(large.log.requests[0] as LoggedRequest);
  for (let index = 0; index < 5; index++) large.wire.receive("x".repeat(65_536));
  assert.ok(large.wire.isEnded);
});

test("who waits for leave gets it, and one that is answered without it is not believed any more", () => {
  const head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
  const asked = serve();
  asked.wire.receive(head);
  asked.log.requests[0]?.stream.inform(100, new HeaderList());
  assert.equal(asked.wire.take(), "HTTP/1.1 100 Continue\r\n\r\n");
  asked.wire.receive("hi");
  answer(asked.log.requests[0] as LoggedRequest);
  assert.equal(asked.wire.isEnded, false);

  const refused = serve();
  refused.wire.receive(head);
  answer(refused.log.requests[0] as LoggedRequest);
  assert.match(refused.wire.take(), /connection: close/);
  assert.ok(refused.wire.isEnded);
});

test("after an upgrade bytes pass both ways, and each side has an end of its own", () => {
  const { wire, log } = serve(() => {});
  wire.receive("GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n\r\nearly ");
  const { head, stream, sink } = log.requests[0] as LoggedRequest;
  assert.equal(head.upgrade, "websocket");
  stream.respond({ status: 101, headers: new HeaderList(), body: { kind: "none" } });
  stream.receive(sink);
  wire.receive("late");
  assert.equal(sink.body, "early late");
  stream.data(Buffer.from("back"));
  assert.equal(
    wire.take(),
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nback",
  );
  wire.receiveEnd();
  assert.equal(sink.ends, 1);
  stream.data(Buffer.from("more"));
  stream.end(undefined);
  assert.deepEqual([wire.take(), wire.isEnded], ["more", true]);
  wire.close();
  assert.equal(log.requests[0]?.closed, true);
});

test("an upgrade that is not taken up is a request like others", () => {
  const { wire, log } = serve();
  wire.receive(`GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n${GET}`);
  answer(log.requests[0] as LoggedRequest);
  assert.equal(log.requests.length, 2);
});

test("a sender that is gone, or breaks off, is told once", () => {
  const { wire, log } = serve();
  wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc");
  wire.receiveEnd();
  assert.ok(wire.isDestroyed);
  wire.close("reset");
  const [request] = log.requests;
  assert.deepEqual([request?.sink.cause?.kind, request?.closed, log.isClosed], ["disconnected", false, true]);
});

test("a body that is none gets 400, and its receiver is told", () => {
  const { wire, log } = serve();
  wire.receive("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n");
  const [request] = log.requests;
  assert.deepEqual(
    [request?.sink.body, request?.sink.cause?.kind, request?.closed],
    ["abc", "protocol", false],
  );
  assert.match(wire.take(), /^HTTP\/1\.1 400 /);
  assert.ok(wire.isEnded);
});

test("given up in the middle of an answer, the connection is cut", () => {
  const { wire, log } = serve();
  wire.receive(GET);
  const [request] = log.requests;
  request?.stream.respond({ status: 200, headers: new HeaderList(), body: { kind: "streamed" } });
  request?.stream.reset({ kind: "cancelled" });
  assert.deepEqual([wire.isDestroyed, request?.closed], [true, false]);
  wire.close();
  assert.equal(log.requests.length, 1);
});

test("heads that do not come, requests that do not end and idle connections have their times", async (t) => {
  let now = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const alarms = new Alarms(() => now);
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const times = { alarms, headMs: 100, requestMs: 200, idleMs: 300 };
  const late = serve(undefined, times);
  late.wire.receive("GET / HTT");
  pass(101);
  assert.match(late.wire.take(), /^HTTP\/1\.1 408 /);

  const silent = serve(undefined, times);
  pass(101);
  assert.deepEqual([silent.wire.take(), silent.wire.isEnded], ["", true]);

  const slow = serve(undefined, times);
  slow.wire.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc");
  pass(201);
  assert.match(slow.wire.take(), /^HTTP\/1\.1 408 /);
  assert.equal(slow.log.requests[0]?.sink.cause?.kind, "limit");

  const idle = serve(undefined, times);
  idle.wire.receive(GET);
  answer(idle.log.requests[0] as LoggedRequest);
  pass(299);
  assert.equal(idle.wire.isEnded, false);
  pass(2);
  assert.ok(idle.wire.isEnded);
  pass(2001);
  assert.ok(idle.wire.isDestroyed, "an other end that does not close is cut off");
});

test("a body of known length that drips is given up; one that is held back is not", async (t) => {
  let now = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const alarms = new Alarms(() => now);
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n";
  const dripping = serve(undefined, { alarms });
  const held = serve(
    ({ stream, sink }) => {
      sink.takesMore = false;
      stream.receive(sink);
    },
    { alarms },
  );
  dripping.wire.receive(`${head}${"x".repeat(2400)}`);
  held.wire.receive(`${head}x`);
  pass(10_001);
  assert.equal(dripping.wire.take(), "");
  dripping.wire.receive("x");
  pass(10_001);
  assert.match(dripping.wire.take(), /^HTTP\/1\.1 408 /);
  assert.equal(held.wire.take(), "");
});
