import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FrameType, KEEP_ALIVE } from "./frame.ts";
import type { Http2Options } from "./options.ts";
import { block, data, frame, GET, HELLO, headers, POST, PREFACE } from "./testing/frames.ts";
import { TestServer } from "./testing/server.ts";

const LIMITS = { headMs: 1000, idleMs: 5000, requestMs: 3000 };

function timed(
  t: TestContext,
  options: Partial<Http2Options> = LIMITS,
): { server: TestServer; pass: (ms: number) => void } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const server = new TestServer(options);
  return {
    server,
    pass: (ms) => {
      for (let left = ms; left > 0; left -= 10) {
        server.nowMs += 10;
        t.mock.timers.tick(10);
      }
    },
  };
}

test("a client that does not begin is not waited for, and cut off when it does not close either", (t) => {
  const { server, pass } = timed(t);
  server.send(PREFACE);
  pass(1010);
  assert.deepEqual(server.heard(), ["goaway 0 enhanceYourCalm"]);
  assert.equal(server.wire.ended, true);
  pass(2010);
  assert.equal(server.wire.destroyed, true);
});

test("a field block that is begun has to end", (t) => {
  const { server, pass } = timed(t);
  server.send(HELLO);
  pass(900);
  server.send(frame(FrameType.headers, 0, 1, block(GET)));
  pass(900);
  assert.equal(server.wire.ended, false);
  pass(200);
  assert.deepEqual(server.heard(), ["settings ack", "goaway 0 enhanceYourCalm"]);
});

test("a connection without streams is said goodbye to, and one with a stream is not", (t) => {
  const { server, pass } = timed(t);
  server.send(HELLO, headers(1, GET));
  pass(10_000);
  assert.deepEqual(server.heard(), ["settings ack"]);
  server.requests[0]?.answer();
  pass(4900);
  assert.deepEqual(server.heard(), ["headers 1 :status: 200 end"]);
  pass(200);
  assert.deepEqual(server.heard(), ["goaway 2147483647 noError", "ping goodbye."]);
  pass(2010);
  assert.equal(server.wire.destroyed, true, "the client did not answer");
  assert.equal(server.session.active, 0);
});

test("who comes between the goodbye and its answer is served in peace", (t) => {
  const { server, pass } = timed(t);
  server.send(HELLO);
  server.session.drain();
  pass(1000);
  server.send(headers(1, GET));
  pass(4000);
  assert.equal(server.wire.destroyed, false);
  server.requests[0]?.answer();
  pass(1900);
  assert.equal(server.wire.destroyed, false);
  pass(200);
  assert.equal(server.wire.destroyed, true);
});

test("a request that is not complete in its time is answered 408", (t) => {
  const { server, pass } = timed(t);
  server.send(HELLO, headers(1, POST, "open"));
  const [request] = server.requests;
  request?.stream.receive(request);
  pass(2900);
  server.send(data(1, "x"));
  assert.deepEqual(server.heard(), ["settings ack"]);
  pass(200);
  assert.deepEqual(server.heard(), ["headers 1 :status: 408 end", "reset 1 noError"]);
  assert.deepEqual(request?.cause, { kind: "limit", reason: "request timeout" });
});

test("a body that has come, or an answer that has begun, is late no more", (t) => {
  const { server, pass } = timed(t);
  server.send(HELLO, headers(1, POST, "open"), data(1, "x", "end"), headers(3, POST, "open"));
  server.requests[1]?.stream.respond({
    status: 200,
    headers: server.requests[1].head.headers,
    body: { kind: "streamed" },
  });
  pass(3100);
  assert.deepEqual(server.heard(), ["settings ack", "headers 3 :status: 200", "reset 3 cancel"]);
  assert.equal(server.requests[0]?.closed, undefined);
});

test("a body of known length that drips is given up, unless nobody takes it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const server = new TestServer();
  const sized = [...POST, ["content-length", "100000"]] as const;
  server.send(HELLO, headers(1, sized, "open"), headers(3, sized, "open"), headers(5, sized, "open"));
  const [dripping, steady] = server.requests;
  for (const request of [dripping, steady]) request?.stream.receive(request);
  for (let second = 0; second < 25; second++) {
    server.send(data(1, "x"), data(3, Buffer.alloc(500)));
    server.nowMs += 1000;
    t.mock.timers.tick(1000);
  }
  assert.deepEqual(server.heard(), ["settings ack", "headers 1 :status: 408 end", "reset 1 noError"]);
});

test("a peer is asked whether it is there as often as is said, and given up when it does not answer in time", (t) => {
  const { server, pass } = timed(t, { keepAlive: { intervalMs: 500, timeoutMs: 200 } });
  server.send(HELLO, headers(1, GET));
  for (let round = 0; round < 300; round++) {
    server.heard();
    pass(510);
    assert.deepEqual(server.heard(), [`ping ${KEEP_ALIVE}`]);
    pass(100);
    server.send(frame(FrameType.ping, 1, 0, KEEP_ALIVE));
  }
  pass(510);
  assert.equal(server.wire.destroyed, false);
  pass(210);
  assert.equal(server.wire.destroyed, true);
});
