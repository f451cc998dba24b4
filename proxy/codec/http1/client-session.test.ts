import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryWire } from "../../../test/fakes/memory-wire.ts";
import { AnswerLog } from "../../../test/fakes/stream-log.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import type { ClientStream, RequestHead } from "../stream.ts";
import { Http1ClientSession } from "./client-session.ts";

interface Asked {
  readonly wire: MemoryWire;
  readonly session: Http1ClientSession;
  readonly closed: () => boolean;
}

function open(): Asked {
  const wire = new MemoryWire();
  let isClosed = false;
  const observer = { changed() {}, closed: () => void (isClosed = true) };
  const session = new Http1ClientSession(wire, observer, new Alarms(() => performance.now()));
  return { wire, session, closed: () => isClosed };
}

const head = (fields: Partial<RequestHead> = {}): RequestHead => ({
  method: "GET",
  target: "/a",
  authority: "shop:80",
  scheme: undefined,
  upgrade: undefined,
  headers: HeaderList.fromRaw(["X-A", "1"]),
  body: { kind: "none" },
  expectsContinue: false,
  ...fields,
});

function ask(
  { session }: Asked,
  fields: Partial<RequestHead> = {},
): { answer: AnswerLog; stream: ClientStream } {
  const answer = new AnswerLog();
  return { answer, stream: session.request(head(fields), answer) };
}

const OK = "HTTP/1.1 200 OK\r\nX-B: 2\r\ncontent-length: 2\r\n\r\nok";

test("a request goes out, its answer comes, and the connection is used again", () => {
  const asked = open();
  const { answer } = ask(asked);
  assert.equal(asked.wire.take(), "GET /a HTTP/1.1\r\nhost: shop:80\r\nX-A: 1\r\n\r\n");
  assert.deepEqual([asked.session.capacity, asked.session.active], [0, 1]);
  asked.wire.receive(OK);
  assert.deepEqual(
    answer.heads.map(({ status, headers }) => [status, headers.toRaw()]),
    [[200, ["X-B", "2"]]],
  );
  assert.deepEqual([answer.body, answer.ends, asked.session.capacity], ["ok", 1, 1]);
  const second = ask(asked);
  asked.wire.receive(OK);
  assert.equal(second.answer.ends, 1);
});

test("an answer is read however its bytes come", () => {
  const text =
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n";
  for (let cut = 1; cut < text.length; cut++) {
    const asked = open();
    const { answer } = ask(asked);
    asked.wire.receive(text.slice(0, cut));
    asked.wire.receive(text.slice(cut));
    assert.deepEqual(
      [answer.informed, answer.body, answer.ends, asked.session.capacity],
      [[103], "abc", 1, 1],
    );
  }
});

test("a request without a body says so where one is expected, and others are framed", () => {
  const asked = open();
  ask(asked, { method: "POST" });
  assert.equal(asked.wire.take(), "POST /a HTTP/1.1\r\nhost: shop:80\r\nX-A: 1\r\ncontent-length: 0\r\n\r\n");
  const chunked = open();
  const { stream } = ask(chunked, { method: "POST", body: { kind: "streamed" } });
  stream.data(Buffer.from("hello"));
  stream.end(undefined);
  assert.match(chunked.wire.take(), /transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
});

test("no answer to HEAD has a body, nor have 204 and 304", () => {
  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ] as const) {
    const asked = open();
    const { answer } = ask(asked, { method });
    asked.wire.receive(`HTTP/1.1 ${status} x\r\ncontent-length: 5\r\n\r\n`);
    assert.deepEqual([answer.ends, asked.session.capacity], [1, 1], `${method} ${status}`);
  }
  const asked = open();
  const { answer } = ask(asked, { method: "HEAD" });
  asked.wire.receive("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  assert.deepEqual(answer.heads[0]?.body, { kind: "none", announced: 5 });
});

test("a body without framing ends with the connection", () => {
  const asked = open();
  const { answer } = ask(asked);
  asked.wire.receive("HTTP/1.1 200 OK\r\n\r\nabc");
  assert.equal(answer.ends, 0);
  asked.wire.receiveEnd();
  assert.deepEqual([answer.body, answer.ends, asked.session.closing], ["abc", 1, true]);
});

const REFUSED = {
  "two lengths": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
  "a length with chunks": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
  "another coding": "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
  "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "a negative length": "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
  "a bare line feed": "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
  "a folded line": "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
  "another protocol": "ICY 200 OK\r\n\r\n",
  "a status that is none": "HTTP/1.1 20 OK\r\n\r\n",
  "a switch that nobody asked for": "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "a broken chunk": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
  "an endless head": `HTTP/1.1 200 OK\r\nx: ${"y".repeat(90_000)}`,
};

for (const [name, bytes] of Object.entries(REFUSED)) {
  test(`an answer with ${name} is not believed, and the connection not used again`, () => {
    const asked = open();
    const { answer } = ask(asked);
    asked.wire.receive(bytes);
    assert.equal(answer.cause?.kind, "protocol");
    assert.deepEqual(
      [asked.wire.isDestroyed, asked.session.capacity, asked.session.closing],
      [true, 0, true],
    );
  });
}

test("bytes that nobody has asked for end the connection", () => {
  const idle = open();
  idle.wire.receive(OK);
  assert.deepEqual([idle.wire.isDestroyed, idle.session.capacity], [true, 0]);
  const behind = open();
  const { answer } = ask(behind);
  behind.wire.receive(`${OK}HTTP/1.1 200 OK\r\n`);
  assert.deepEqual([answer.ends, behind.wire.isDestroyed, behind.session.closing], [1, true, true]);
});

test("an answer before the whole request is passed on, and the connection given up", () => {
  const asked = open();
  const { answer, stream } = ask(asked, { method: "POST", body: { kind: "sized", bytes: 10 } });
  stream.data(Buffer.from("abc"));
  asked.wire.receive(OK);
  assert.deepEqual([answer.ends, asked.session.closing], [1, true]);
  assert.equal(stream.data(Buffer.from("def")), false);
});

test("a server that goes away is told as that, once", () => {
  const asked = open();
  const { answer } = ask(asked);
  asked.wire.receive("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab");
  asked.wire.receiveEnd();
  asked.wire.close("reset");
  assert.deepEqual([answer.cause?.kind, answer.ends, asked.closed()], ["disconnected", 0, true]);
});

test("who takes an answer slowly holds its sender back", () => {
  const asked = open();
  const { answer, stream } = ask(asked);
  answer.takesMore = false;
  asked.wire.receive("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n");
  assert.deepEqual([answer.body, asked.wire.isPaused], ["a", true]);
  answer.takesMore = true;
  stream.resume();
  assert.deepEqual([answer.body, asked.wire.isPaused], ["ab", false]);
});

test("after 101 bytes pass both ways", () => {
  const asked = open();
  const { answer, stream } = ask(asked, { upgrade: "websocket" });
  assert.match(asked.wire.take(), /connection: upgrade\r\nupgrade: websocket\r\n\r\n$/);
  asked.wire.receive("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\nhi");
  assert.deepEqual([answer.heads[0]?.status, answer.body], [101, "hi"]);
  stream.data(Buffer.from("ho"));
  assert.equal(asked.wire.take(), "ho");
  asked.wire.receiveEnd();
  stream.end(undefined);
  assert.deepEqual([answer.ends, asked.wire.isEnded], [1, true]);
  asked.wire.close();
  assert.equal(answer.cause, undefined);
});

test("a server that has ended its side of a tunnel has ended it, whatever becomes of the connection", () => {
  const asked = open();
  const { answer } = ask(asked, { method: "CONNECT", authority: "a:80" });
  asked.wire.receive("HTTP/1.1 200 OK\r\n\r\nbytes");
  asked.wire.receiveEnd();
  asked.session.destroy("given up");
  asked.wire.close();
  assert.deepEqual([answer.body, answer.ends, answer.cause], ["bytes", 1, undefined]);
});

test("given up, the connection is cut and nothing more is heard", () => {
  const asked = open();
  const { answer, stream } = ask(asked);
  stream.reset({ kind: "cancelled" });
  asked.wire.receive(OK);
  asked.wire.close();
  assert.deepEqual([asked.wire.isDestroyed, answer.heads.length, answer.cause], [true, 0, undefined]);
});

test("no target makes another request of it", () => {
  const asked = open();
  for (const target of ["/a b", "/a\r\nx: y", "", "/ä"]) assert.throws(() => ask(asked, { target }), target);
  assert.equal(asked.wire.take(), "");
});
