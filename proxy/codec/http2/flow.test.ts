import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../tables/header-list.ts";
import { FULL_BYTES } from "../../transport/wire.ts";
import { FrameType } from "./frame.ts";
import {
  data,
  frame,
  GET,
  HELLO,
  headers,
  POST,
  rstStream,
  settings,
  windowUpdate,
} from "./testing/frames.ts";
import { type SeenRequest, TestServer } from "./testing/server.ts";

const STREAMED = { status: 200, headers: new HeaderList(), body: { kind: "streamed" } } as const;
const WINDOW = 65_536;

/** A server whose one client has asked, with these windows; answers begin. */
function answering(setting: number, streams = 1): { server: TestServer; requests: readonly SeenRequest[] } {
  const server = new TestServer();
  server.send(HELLO, settings([4, setting]));
  for (let index = 0; index < streams; index++) server.send(headers(2 * index + 1, GET));
  for (const { stream } of server.requests) stream.respond(STREAMED);
  server.heard();
  return { server, requests: server.requests };
}

function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error("nothing came");
  return item;
}

test("bodies go out as far as the stream's window, the rest with its updates, and then there is room again", () => {
  const { server, requests } = answering(3);
  const { stream } = first(requests);
  assert.equal(stream.data(Buffer.from("abcdef")), false);
  assert.deepEqual(server.heard(), ["data 1 3"]);
  server.send(windowUpdate(1, 1));
  assert.deepEqual(server.heard(), ["data 1 1"]);
  assert.equal(first(requests).writable, 0);
  server.send(windowUpdate(1, 10));
  assert.deepEqual(server.heard(), ["data 1 2"]);
  assert.equal(first(requests).writable, 1);
  assert.equal(stream.data(Buffer.from("gh")), true);
  stream.end(undefined);
  assert.deepEqual(server.heard(), ["data 1 2", "data 1 0 end"]);
});

test("an end that is said while bytes wait comes after them, with its trailers", () => {
  const { server, requests } = answering(0);
  const { stream } = first(requests);
  stream.data(Buffer.from("ab"));
  stream.end(HeaderList.fromRaw(["grpc-status", "0"]));
  assert.deepEqual(server.heard(), []);
  server.send(windowUpdate(1, 9));
  assert.deepEqual(server.heard(), ["data 1 2", "headers 1 grpc-status: 0 end"]);
  assert.equal(first(requests).closed, true);
});

test("new initial windows reach streams that run, below zero too (§6.9.2)", () => {
  const { server, requests } = answering(10);
  const { stream } = first(requests);
  stream.data(Buffer.alloc(8));
  server.heard();
  server.send(settings([4, 5]));
  stream.data(Buffer.alloc(4));
  assert.deepEqual(server.heard(), ["settings ack"], "the window is at -3");
  server.send(windowUpdate(1, 3));
  assert.deepEqual(server.heard(), []);
  server.send(settings([4, 7]));
  assert.deepEqual(server.heard(), ["settings ack", "data 1 2"]);
});

test("the connection's window is shared, and given out in turn", () => {
  const { server, requests } = answering(1_000_000, 2);
  for (const { stream } of requests) {
    for (let sent = 0; sent < 65_536; sent += 8192) stream.data(Buffer.alloc(8192));
  }
  assert.equal(
    server
      .frames()
      .reduce((sum, { type, payload }) => sum + (type === FrameType.data ? payload.length : 0), 0),
    65_535,
  );
  server.send(windowUpdate(0, 40_000));
  assert.deepEqual(server.heard(), [
    "data 1 1",
    ...Array.from({ length: 4 }, () => "data 3 8192"),
    "data 3 7231",
  ]);
});

test("two that wait take turns, a frame each", () => {
  const { server, requests } = answering(0, 2);
  for (const { stream } of requests) stream.data(Buffer.alloc(20_000));
  server.send(settings([4, 1_000_000]));
  assert.deepEqual(server.heard(), [
    "settings ack",
    "data 1 16384",
    "data 3 16384",
    "data 1 3616",
    "data 3 3616",
  ]);
});

test("a connection that does not keep up holds bodies back, and says when it does again", () => {
  const { server, requests } = answering(1_000_000);
  server.send(windowUpdate(0, 1_000_000));
  const { stream } = first(requests);
  let accepted = 0;
  while (stream.data(Buffer.alloc(10_000))) accepted++;
  assert.equal(accepted, Math.floor(FULL_BYTES / 10_000));
  assert.ok(server.wire.pending < FULL_BYTES + 20_000);
  server.wire.take();
  assert.equal(first(requests).writable, 1);
});

test("a reset stream lets go of what waits", () => {
  const { server, requests } = answering(0);
  first(requests).stream.data(Buffer.alloc(100));
  server.send(rstStream(1, 8), windowUpdate(1, 100));
  assert.deepEqual(server.heard(), []);
  assert.equal(first(requests).closed, false);
});

/** A server with one request whose body comes; `frames` tells the credit that it gives. */
function receiving(options: ConstructorParameters<typeof TestServer>[0] = {}): {
  server: TestServer;
  request: SeenRequest;
} {
  const server = new TestServer(options);
  server.send(HELLO, headers(1, POST, "open"));
  server.frames();
  return { server, request: first(server.requests) };
}

function credit(server: TestServer): string[] {
  return server
    .frames()
    .filter(({ type }) => type === FrameType.windowUpdate)
    .map(({ id, payload }) => `${id} +${payload.readUInt32BE(0)}`);
}

test("credit follows what was taken, half a window at a time", () => {
  const { server, request } = receiving({ connectionWindow: 131_072 });
  request.stream.receive(request);
  server.send(data(1, Buffer.alloc(16_384)));
  assert.deepEqual(credit(server), []);
  server.send(data(1, Buffer.alloc(16_384)));
  assert.deepEqual(credit(server), ["1 +32768"]);
  server.send(data(1, Buffer.alloc(16_384)), data(1, Buffer.alloc(16_384)));
  assert.deepEqual(credit(server), ["0 +65536", "1 +32768"]);
});

test("padding is credit too", () => {
  const { server, request } = receiving();
  request.stream.receive(request);
  const padded = Buffer.concat([Buffer.from([255]), Buffer.from("x"), Buffer.alloc(255)]);
  for (let index = 0; index < 128; index++) server.send(frame(FrameType.data, 8, 1, padded));
  assert.deepEqual(credit(server), ["1 +32895"]);
  assert.equal(request.body.length, 128);
});

test("nobody takes the body: it is kept, up to the window, and gets no credit", () => {
  const { server, request } = receiving();
  for (let sent = 0; sent < WINDOW; sent += 16_384) server.send(data(1, Buffer.alloc(16_384, sent / 16_384)));
  assert.deepEqual(credit(server), []);
  request.stream.receive(request);
  assert.equal(request.body.length, WINDOW);
  assert.deepEqual([request.body[0], request.body[WINDOW - 1]], [0, 3]);
  assert.deepEqual(credit(server), ["1 +32768", "1 +32768"]);
});

test("a stream that is paused gets its bytes and its end when it goes on", () => {
  const { server, request } = receiving();
  request.accepts = false;
  request.stream.receive(request);
  server.send(data(1, "ab"), data(1, "cd"), data(1, "ef", "end"));
  assert.equal(request.body.toString(), "ab");
  request.stream.resume();
  assert.equal(request.body.toString(), "abcdef", "what was kept lies together");
  assert.equal(request.ended, false);
  request.stream.resume();
  assert.equal(request.ended, true);
});

test("more than the stream's window is an error of the stream", () => {
  const { server } = receiving();
  for (let sent = 0; sent <= WINDOW; sent += 16_384) server.send(data(1, Buffer.alloc(16_384)));
  assert.deepEqual(server.heard(), ["reset 1 flowControlError"]);
});

test("more than the connection's window is an error of the connection", () => {
  const server = new TestServer({ connectionWindow: 65_535 });
  server.send(HELLO, headers(1, POST, "open"), headers(3, POST, "open"));
  server.heard();
  for (const id of [1, 3])
    for (let index = 0; index < 3; index++) server.send(data(id, Buffer.alloc(16_384)));
  assert.deepEqual(server.heard(), ["goaway 3 flowControlError"]);
});

test("what a lost stream had kept is credit of the connection again", () => {
  const { server } = receiving({ connectionWindow: 65_535 });
  for (let index = 0; index < 3; index++) server.send(data(1, Buffer.alloc(16_384)));
  assert.deepEqual(credit(server), []);
  server.send(rstStream(1, 8));
  assert.deepEqual(credit(server), ["0 +49152"]);
});

test("many small pieces that wait take no more memory than their bytes", () => {
  const { server, request } = receiving({ streamWindow: 1_048_576 });
  const before = process.memoryUsage();
  for (let index = 0; index < 200_000; index++) server.send(data(1, "x"));
  const after = process.memoryUsage();
  const grown = after.arrayBuffers - before.arrayBuffers;
  assert.ok(grown < 8_000_000, `${grown} bytes for 200 kB`);
  request.stream.receive(request);
  assert.equal(request.body.length, 200_000);
});
