import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../tables/header-list.ts";
import { FrameType } from "./frame.ts";
import {
  data,
  type Fields,
  frame,
  GET,
  HELLO,
  headers,
  POST,
  rstStream,
  settings,
} from "./testing/frames.ts";
import { type SeenRequest, TestServer } from "./testing/server.ts";

const EMPTY = new HeaderList();

function asked(fields: Fields, end: "end" | "open" = "end"): { server: TestServer; request: SeenRequest } {
  const server = new TestServer();
  server.send(HELLO, headers(1, fields, end));
  server.heard();
  const [request] = server.requests;
  if (request === undefined) throw new Error("no request");
  return { server, request };
}

const raw = (request: SeenRequest): readonly string[] => request.head.headers.toRaw();

test("the first SETTINGS ask for no table, no more than a hundred requests, and offer the change of protocols", () => {
  const [hello] = new TestServer().frames();
  assert.equal(hello?.type, FrameType.settings);
  assert.equal(
    hello?.payload.toString("hex"),
    ["000100000000", "000400010000", "00060000f000", "000300000064", "000800000001"].join(""),
  );
});

test("a request is what its pseudo-headers and fields say", () => {
  const { request } = asked([...GET, ["host", "A.EXAMPLE"], ["x-a", "b"], ["te", "trailers"]]);
  const { headers: list, ...head } = request.head;
  assert.deepEqual(head, {
    method: "GET",
    target: "/",
    authority: "a.example",
    scheme: "http",
    upgrade: undefined,
    body: { kind: "none" },
    expectsContinue: false,
  });
  assert.deepEqual(list.toRaw(), ["x-a", "b"]);
});

test("without :authority the Host is it", () => {
  const { request } = asked([...GET.slice(0, 3), ["host", "b.example"]]);
  assert.equal(request.head.authority, "b.example");
});

test("cookies that HTTP/2 has split are one field (§8.2.3)", () => {
  const { request } = asked([...GET, ["cookie", "a=1"], ["x", "y"], ["cookie", "b=2"]]);
  assert.deepEqual(raw(request), ["x", "y", "cookie", "a=1; b=2"]);
});

test("length and expectation are the head's, not the list's", () => {
  const { request } = asked([...POST, ["content-length", "5"], ["expect", "100-continue"]], "open");
  assert.deepEqual(request.head.body, { kind: "sized", bytes: 5 });
  assert.equal(request.head.expectsContinue, true);
  assert.deepEqual(raw(request), []);
});

test("OPTIONS of the server as a whole", () => {
  const { request } = asked([
    [":method", "OPTIONS"],
    [":scheme", "http"],
    [":path", "*"],
    [":authority", "a"],
  ]);
  assert.equal(request.head.target, "*");
});

test("CONNECT is a tunnel to its authority, whatever length it names", () => {
  const { server, request } = asked(
    [
      [":method", "CONNECT"],
      [":authority", "a:443"],
      ["content-length", "0"],
    ],
    "open",
  );
  assert.deepEqual(
    [request.head.method, request.head.target, request.head.body.kind],
    ["CONNECT", "", "streamed"],
  );
  request.stream.receive(request);
  request.stream.respond({ status: 200, headers: EMPTY, body: { kind: "streamed" } });
  request.stream.data(Buffer.from("down"));
  server.send(data(1, "up"));
  assert.equal(request.body.toString(), "up");
  assert.deepEqual(server.heard(), ["headers 1 :status: 200", "data 1 4"]);
});

test("a change of protocols is a GET that 101 agrees to, and 200 on the wire (RFC 8441)", () => {
  const { server, request } = asked(
    [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)],
    "open",
  );
  assert.deepEqual(
    [request.head.method, request.head.target, request.head.upgrade],
    ["GET", "/", "websocket"],
  );
  request.stream.respond({ status: 101, headers: EMPTY, body: { kind: "streamed" } });
  assert.deepEqual(server.heard(), ["headers 1 :status: 200"]);
});

test("interim answers, the answer, its body and trailers", () => {
  const { server, request } = asked(GET);
  request.stream.inform(103, HeaderList.fromRaw(["link", "x"]));
  request.stream.respond({
    status: 200,
    headers: HeaderList.fromRaw(["X-A", "b"]),
    body: { kind: "streamed" },
  });
  request.stream.data(Buffer.from("abc"));
  request.stream.end(HeaderList.fromRaw(["grpc-status", "0"]));
  assert.deepEqual(server.heard(), [
    "headers 1 :status: 103, link: x",
    "headers 1 :status: 200, x-a: b",
    "data 1 3",
    "headers 1 grpc-status: 0 end",
  ]);
  assert.equal(request.closed, true);
  assert.equal(server.session.active, 0);
});

test("an answer to HEAD keeps the length that it names", () => {
  const { server, request } = asked([[":method", "HEAD"], ...GET.slice(1)]);
  request.stream.respond({ status: 200, headers: EMPTY, body: { kind: "none", announced: 7 } });
  assert.deepEqual(server.heard(), ["headers 1 :status: 200, content-length: 7 end"]);
});

test("heads that need several frames come in several", () => {
  const { server, request } = asked(GET);
  request.stream.respond({
    status: 200,
    headers: HeaderList.fromRaw(["a", "x".repeat(40_000)]),
    body: { kind: "none" },
  });
  const frames = server.frames();
  assert.deepEqual(
    frames.map(({ type, flags, payload }) => [type, flags, payload.length]),
    [
      [FrameType.headers, 1, 16_384],
      [FrameType.continuation, 0, 16_384],
      [FrameType.continuation, 4, 40_009 - 32_768],
    ],
  );
});

test("an answer before the request's end asks for no more of it, and what is on its way is passed over", () => {
  const { server, request } = asked(POST, "open");
  request.stream.receive(request);
  request.answer("no");
  assert.deepEqual(server.heard(), [
    "headers 1 :status: 200, content-length: 2",
    "data 1 2",
    "data 1 0 end",
    "reset 1 noError",
  ]);
  assert.deepEqual(request.cause, { kind: "cancelled" });
  assert.equal(request.closed, true);
  server.send(data(1, "late", "end"));
  assert.deepEqual(server.heard(), []);
  assert.equal(request.body.length, 0);
});

test("a client that gives up is heard by the body's receiver and by the observer, once", () => {
  const { server, request } = asked(POST, "open");
  request.stream.receive(request);
  server.send(data(1, "a"), rstStream(1, 8));
  assert.deepEqual(request.cause, { kind: "cancelled" });
  assert.equal(request.closed, false);
  request.answer("too late");
  assert.deepEqual(server.heard(), []);
});

test("who receives after the client has given up hears so", () => {
  const { server, request } = asked(POST, "open");
  server.send(rstStream(1, 8));
  assert.equal(request.cause, undefined);
  request.stream.receive(request);
  assert.deepEqual(request.cause, { kind: "cancelled" });
});

test("why a stream is given up is told as the client can use it", () => {
  const told = [
    ["refused", "refusedStream"],
    ["cancelled", "cancel"],
  ] as const;
  for (const [kind, code] of told) {
    const { server, request } = asked(GET);
    request.stream.reset({ kind });
    assert.deepEqual(server.heard(), [`reset 1 ${code}`]);
    assert.equal(request.closed, false);
  }
  for (const [kind, code] of [
    ["disconnected", "internalError"],
    ["protocol", "internalError"],
    ["limit", "cancel"],
  ] as const) {
    const { server, request } = asked(GET);
    request.stream.reset({ kind, reason: "" });
    assert.deepEqual(server.heard(), [`reset 1 ${code}`]);
  }
});

test("a drained server warns, names the last stream once that is read, and closes after the last answer (§6.8)", () => {
  const { server, request } = asked(GET);
  request.stream.closeAfter("unread");
  assert.deepEqual(server.heard(), []);
  request.stream.closeAfter("draining");
  server.session.drain();
  assert.deepEqual(server.heard(), ["goaway 2147483647 noError", "ping goodbye."]);
  server.send(headers(3, GET));
  assert.equal(server.requests.length, 2, "what was on its way is served");
  server.send(frame(FrameType.ping, 1, 0, "goodbye."));
  assert.deepEqual(server.heard(), ["goaway 3 noError"]);
  server.send(headers(5, GET), data(5, "x"));
  assert.equal(server.requests.length, 2);
  for (const { answer } of server.requests.map((seen) => ({ answer: () => seen.answer() }))) {
    assert.equal(server.wire.ended, false);
    answer();
  }
  assert.equal(server.wire.ended, true);
});

test("a lost connection ends all streams, and is told last", () => {
  const { server, request } = asked(POST, "open");
  request.stream.receive(request);
  server.wire.input?.closed("reset by peer");
  assert.deepEqual(request.cause, { kind: "disconnected", reason: "reset by peer" });
  assert.equal(request.closed, false);
  assert.equal(server.closed, 1);
});

test("a destroyed session cuts its connection", () => {
  const { server, request } = asked(GET);
  server.session.destroy("over");
  assert.equal(server.wire.destroyed, true);
  assert.equal(request.closed, false);
});

test("after a failure little is read on", () => {
  const server = new TestServer();
  server.send(HELLO, data(0, "x"));
  assert.equal(server.wire.ended, true);
  for (let index = 0; index < 3; index++) server.send(Buffer.alloc(20_000));
  assert.equal(server.wire.destroyed, false);
  server.send(Buffer.alloc(20_000));
  assert.equal(server.wire.destroyed, true);
});

test("a handler that closes the connection is no obstacle to what was read with its request", () => {
  const server = new TestServer();
  server.onRequest = () => server.session.destroy("enough");
  server.send(HELLO, headers(1, GET), headers(3, GET), settings());
  assert.equal(server.requests.length, 1);
  assert.equal(server.wire.destroyed, true);
});

test("refused requests are told, with what could be read of them", () => {
  const server = new TestServer();
  server.send(HELLO, headers(1, [...GET, ["upgrade", "x"]]));
  assert.deepEqual(server.refused, [
    { method: "GET", target: "/", status: 400, detail: "upgrade in HTTP/2" },
  ]);
});
