import assert from "node:assert/strict";
import { Http1ClientSession } from "../../proxy/codec/http1/client-session.ts";
import { Http1ServerSession } from "../../proxy/codec/http1/server-session.ts";
import type { RequestHead } from "../../proxy/codec/stream.ts";
import { HeaderList } from "../../proxy/tables/header-list.ts";
import { Alarms } from "../../proxy/transport/alarms.ts";
import { MemoryWire } from "../../test/fakes/memory-wire.ts";
import { AnswerLog, type LoggedRequest, RequestLog } from "../../test/fakes/stream-log.ts";
import { FakeWire } from "../../test/fakes/wire-pair.ts";
import { framingMutations } from "../../test/harness/http1-mutations.ts";
import { NodeHttpParser, type ReadMessage } from "../../test/harness/node-http-parser.ts";
import { AskingOwner } from "../contract/asking-owner.ts";
import { converse, seedOf } from "../contract/converse.ts";
import { ServingOwner } from "../contract/serving-owner.ts";
import type { Target } from "../target.ts";

const alarms = new Alarms(() => 0);
const OPTIONS = { maxHeadBytes: 2048, headMs: 0, requestMs: 0, idleMs: 0, alarms };
const WORDS = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\0",
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
  "POST /p HTTP/1.1\r\nHost: a\r\n",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "Connection: upgrade\r\nUpgrade: websocket\r\n",
  "Expect: 100-continue\r\n",
  "HTTP/1.0",
  "HEAD",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "5;a=b\r\n",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\n\r\n",
];

const seeded = (texts: readonly string[]): readonly Buffer[] =>
  texts.map((text, index) =>
    Buffer.from(`${String.fromCharCode(index & 0xff, (index * 7) & 0xff)}${text}`, "latin1"),
  );

export const http1Server: Target = {
  name: "http1-server",
  longest: 4096,
  words: WORDS,
  seeds: () =>
    seeded([...framingMutations().slice(0, 60), "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nbytes"]),
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new ServingOwner(random);
    const session = new Http1ServerSession(wire, owner, OPTIONS);
    if (random.chance(0.1)) session.drain();
    const written = converse(random, input, wire, owner, session);
    if (written.length > 0) assert.match(written.toString("latin1"), /^HTTP\/1\.1 [1-5]\d\d /);
  },
};

const ANSWERS = [
  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\nuntil the end",
  "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\netag: a\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nbytes",
];

export const http1Client: Target = {
  name: "http1-client",
  longest: 4096,
  words: WORDS,
  seeds: () =>
    seeded([...ANSWERS, ...ANSWERS.map((one) => one + one), ...ANSWERS.map((one) => one + ANSWERS.join(""))]),
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new AskingOwner(random);
    const session = new Http1ClientSession(wire, owner, alarms);
    owner.session = session;
    converse(random, input, wire, owner, session);
  },
};

const node = new NodeHttpParser();

/** Nothing is ever seen by the one behind us that was judged differently here, nor by the one before us. */
export const http1Differential: Target = {
  name: "http1-differential",
  longest: 2048,
  words: WORDS,
  seeds: () =>
    framingMutations()
      .slice(0, 200)
      .map((text) => Buffer.from(text, "latin1")),
  async run(input) {
    const text = input.toString("latin1");
    const own = ownReading(text);
    if (own.length === 0) return;
    const messages = own.map(messageOf);
    const onward = own.map(written).join("");
    assert.deepEqual(await node.read(onward), messages, "read from what is sent on");
    assert.deepEqual(ownReading(onward).map(messageOf), messages, "read again from what is sent on");
    const before = await node.read(text);
    // After a request to change protocols that parser reads no other, whatever the answer.
    const compared = /upgrade/i.test(text) ? 1 : own.length;
    const shapes = (read: readonly ReadMessage[]): unknown =>
      read.slice(0, compared).map(({ method, body }) => [method, body]);
    assert.deepEqual(shapes(before), shapes(messages), "read from what came");
  },
};

/** The complete requests of a connection, each answered as it ends. */
function ownReading(text: string): readonly LoggedRequest[] {
  const wire = new MemoryWire();
  const log = new RequestLog((request) => {
    const { stream, head, sink } = request;
    const answer = (): void => {
      sink.end(undefined);
      stream.respond({ status: 200, headers: new HeaderList(), body: { kind: "none" } });
    };
    if (head.body.kind === "none") return answer();
    return stream.receive({
      data: (bytes) => sink.data(bytes),
      end: answer,
      reset: (cause) => sink.reset(cause),
    });
  });
  const session = new Http1ServerSession(wire, log, OPTIONS);
  wire.receive(text);
  wire.close();
  assert.equal(session.active, 0);
  return log.requests.filter(({ sink }) => sink.ends === 1);
}

function written({ head, sink }: LoggedRequest): string {
  const wire = new MemoryWire();
  const session = new Http1ClientSession(wire, { changed() {}, closed() {} }, alarms);
  const sent: RequestHead = { ...head, upgrade: undefined };
  const stream = session.request(sent, new AnswerLog());
  if (head.body.kind !== "none") {
    stream.data(Buffer.from(sink.body, "latin1"));
    stream.end(undefined);
  }
  const text = wire.take();
  wire.close();
  return text;
}

const messageOf = ({ head, sink }: LoggedRequest): ReadMessage => ({
  method: head.method,
  target: head.target,
  host: head.authority,
  headers: head.headers.toRaw(),
  body: sink.body,
});
