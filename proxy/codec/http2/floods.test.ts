import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameType } from "./frame.ts";
import {
  block,
  data,
  frame,
  GET,
  HELLO,
  headers,
  POST,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from "./testing/frames.ts";
import { TestServer } from "./testing/server.ts";

const FLOOD = 100_000;

interface Flood {
  readonly name: string;
  readonly before?: readonly Uint8Array[];
  /** The frames of one step. */
  readonly step: (index: number) => Uint8Array;
  /** Steps until the connection is closed, at most: what a peer can make us do for nothing. */
  readonly most: number;
}

const open = headers(1, POST, "open");
const odd = (index: number): number => 2 * index + 1;

const floods: readonly Flood[] = [
  {
    name: "rapid reset",
    step: (index) => Buffer.concat([headers(odd(index), GET), rstStream(odd(index), 8)]),
    most: 201,
  },
  {
    name: "made-you-reset by WINDOW_UPDATE of 0",
    step: (index) => Buffer.concat([headers(odd(index), GET), windowUpdate(odd(index), 0)]),
    most: 201,
  },
  {
    name: "made-you-reset by DATA after the end",
    step: (index) => Buffer.concat([headers(odd(index), GET), data(odd(index), "x")]),
    most: 201,
  },
  { name: "malformed requests", step: (index) => headers(odd(index), [...GET, ["upgrade", "x"]]), most: 201 },
  {
    name: "heads that are too large",
    step: (index) => headers(odd(index), [...GET, ...Array.from({ length: 100 }, () => ["a", "b"] as const)]),
    most: 201,
  },
  { name: "more streams than allowed", step: (index) => headers(odd(index), GET), most: 301 },
  { name: "SETTINGS", step: () => settings([4, 65_535]), most: 201 },
  { name: "acknowledgements of SETTINGS", step: () => SETTINGS_ACK, most: 202 },
  { name: "PING", step: () => frame(FrameType.ping, 0, 0, "12345678"), most: 201 },
  { name: "answers to no PING", step: () => frame(FrameType.ping, 1, 0, "12345678"), most: 201 },
  { name: "empty DATA", before: [open], step: () => data(1, ""), most: 202 },
  {
    name: "DATA of padding",
    before: [open],
    step: () => frame(FrameType.data, 8, 1, Buffer.from([1, 0])),
    most: 202,
  },
  { name: "PRIORITY", step: () => frame(FrameType.priority, 0, 5, Buffer.alloc(5)), most: 201 },
  { name: "WINDOW_UPDATE of the connection", step: () => windowUpdate(0, 1), most: 1001 },
  { name: "WINDOW_UPDATE of a stream", before: [open], step: () => windowUpdate(1, 1), most: 1005 },
  {
    name: "WINDOW_UPDATE of a closed stream",
    before: [open, rstStream(1, 8)],
    step: () => windowUpdate(1, 1),
    most: 1005,
  },
  {
    name: "RST_STREAM of a closed stream",
    before: [open, rstStream(1, 8)],
    step: () => rstStream(1, 8),
    most: 202,
  },
  { name: "frames of unknown types", step: () => frame(0xee, 0, 0, "x"), most: 201 },
  { name: "GOAWAY", before: [open], step: () => frame(FrameType.goaway, 0, 0, Buffer.alloc(8)), most: 202 },
  {
    name: "empty CONTINUATION",
    before: [frame(FrameType.headers, 0, 1, block(GET))],
    step: () => frame(FrameType.continuation, 0, 1),
    most: 201,
  },
  {
    name: "CONTINUATION without end",
    before: [frame(FrameType.headers, 0, 1, block(GET))],
    step: () => frame(FrameType.continuation, 0, 1, block([["a", "x".repeat(1000)]])),
    most: 62,
  },
  {
    name: "CONTINUATION of single bytes",
    before: [frame(FrameType.headers, 0, 1, block(GET))],
    step: () => frame(FrameType.continuation, 0, 1, "\x82"),
    most: 62,
  },
];

for (const { name, before = [], step, most } of floods) {
  test(`a flood of ${name} ends after at most ${most}`, () => {
    const server = new TestServer();
    server.send(HELLO, ...before);
    server.heard();
    let steps = 0;
    while (!server.wire.ended && steps < FLOOD) server.send(step(steps++));
    assert.ok(steps <= most && server.wire.ended, `${steps} steps`);
    assert.match(server.heard().at(-1) ?? "", /^goaway \d+ enhanceYourCalm$/);
    assert.equal(server.session.active, 0);
    assert.ok(server.wire.total < 20_000, `${server.wire.total} bytes were written`);
  });
}

test("one byte of table that stands for a large field is a head that is too large, and costs no memory", () => {
  const server = new TestServer();
  const large = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)]);
  const bomb = Buffer.concat([block(GET), large, Buffer.alloc(12_000, 0xbe)]);
  server.send(HELLO, frame(FrameType.headers, 5, 1, bomb));
  assert.deepEqual(server.heard(), ["settings ack", "headers 1 :status: 431 end"]);
  assert.equal(server.requests.length, 0);
  server.send(headers(3, GET));
  assert.equal(server.requests.length, 1, "the table was kept in step");
});

test("a peer that never reads is cut off when its answers pile up", () => {
  const server = new TestServer();
  server.send(HELLO);
  for (let index = 0; index < 40_000 && !server.wire.destroyed; index++) {
    server.nowMs += 50;
    server.send(frame(FrameType.ping, 0, 0, "12345678"));
  }
  assert.equal(server.wire.destroyed, true);
  assert.equal(server.wire.ended, false);
});

test("time refills: a client that gives up twenty streams a second may do so for ever", () => {
  const server = new TestServer();
  server.send(HELLO);
  for (let index = 0; index < 5000; index++) {
    server.nowMs += 50;
    server.send(headers(odd(index), GET), rstStream(odd(index), 8));
  }
  assert.equal(server.wire.ended, false);
});

test("work refills: a client that gives up less than it lets come to an end goes on at any speed", () => {
  const server = new TestServer();
  server.onRequest = (request) => {
    if (server.requests.length % 2 === 0) request.answer();
  };
  server.send(HELLO);
  for (let index = 0; index < 5000; index++) {
    server.send(headers(odd(index), GET), rstStream(odd(index), 8));
    server.wire.take();
  }
  assert.equal(server.wire.ended, false);
});

test("giving up an answer that has begun is no abuse", () => {
  const server = new TestServer();
  server.onRequest = ({ head, stream }) =>
    stream.respond({ status: 200, headers: head.headers, body: { kind: "streamed" } });
  server.send(HELLO);
  for (let index = 0; index < 1000; index++) {
    server.send(headers(odd(index), GET), rstStream(odd(index), 8));
    server.wire.take();
  }
  assert.equal(server.wire.ended, false);
});

test("PING and WINDOW_UPDATE that go with data are what they are for", () => {
  const server = new TestServer();
  server.onRequest = ({ head, stream }) =>
    stream.respond({ status: 200, headers: head.headers, body: { kind: "streamed" } });
  server.send(HELLO, headers(1, GET));
  const [request] = server.requests;
  for (let index = 0; index < 5000; index++) {
    request?.stream.data(Buffer.alloc(1000));
    server.send(
      windowUpdate(0, 500),
      windowUpdate(0, 500),
      windowUpdate(1, 1000),
      frame(FrameType.ping, 0, 0, "12345678"),
    );
    server.wire.take();
  }
  assert.equal(server.wire.ended, false);
});
