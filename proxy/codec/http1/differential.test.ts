import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryWire } from "../../../test/fakes/memory-wire.ts";
import { AnswerLog, type LoggedRequest, RequestLog } from "../../../test/fakes/stream-log.ts";
import { framingMutations, randomMutations } from "../../../test/harness/http1-mutations.ts";
import { NodeHttpParser, type ReadMessage } from "../../../test/harness/node-http-parser.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import { Http1ClientSession } from "./client-session.ts";
import { Http1ServerSession } from "./server-session.ts";

const RANDOM = { seed: 20_260_923, count: 4000 };
const alarms = new Alarms(() => performance.now());
const node = new NodeHttpParser();

/** The complete requests that our codec takes from a connection, each answered as it ends. */
function ownReading(text: string): readonly LoggedRequest[] {
  const wire = new MemoryWire();
  const log = new RequestLog((request) => {
    const { stream, head } = request;
    const answer = (): void =>
      stream.respond({ status: 200, headers: new HeaderList(), body: { kind: "none" } });
    if (head.body.kind === "none") {
      request.sink.end(undefined);
      answer();
      return;
    }
    const { sink } = request;
    stream.receive({
      data: (bytes) => sink.data(bytes),
      end() {
        sink.end(undefined);
        answer();
      },
      reset: (cause) => sink.reset(cause),
    });
  });
  const options = { maxHeadBytes: 8192, headMs: 0, requestMs: 0, idleMs: 0, alarms };
  const session = new Http1ServerSession(wire, log, options);
  wire.receive(text);
  assert.ok(session.active <= 1);
  return log.requests.filter(({ sink }) => sink.ends === 1);
}

/** What is sent on of them. */
function written(requests: readonly LoggedRequest[]): string {
  return requests
    .map(({ head, sink }) => {
      const wire = new MemoryWire();
      const session = new Http1ClientSession(wire, { changed() {}, closed() {} }, alarms);
      const stream = session.request({ ...head, upgrade: undefined }, new AnswerLog());
      if (head.body.kind !== "none") {
        stream.data(Buffer.from(sink.body, "latin1"));
        stream.end(undefined);
      }
      return wire.take();
    })
    .join("");
}

const messageOf = ({ head, sink }: LoggedRequest): ReadMessage => ({
  method: head.method,
  target: head.target,
  host: head.authority,
  headers: head.headers.toRaw(),
  body: sink.body,
});

async function compare(texts: Iterable<string>): Promise<{ taken: number; refused: number }> {
  let [taken, refused] = [0, 0];
  for (const text of texts) {
    const own = ownReading(text);
    if (own.length === 0) {
      refused++;
      continue;
    }
    taken++;
    const messages = own.map(messageOf);
    const onward = written(own);
    assert.deepEqual(
      await node.read(onward),
      messages,
      `sent on for ${JSON.stringify(text)}: ${JSON.stringify(onward)}`,
    );
    assert.deepEqual(ownReading(onward).map(messageOf), messages, JSON.stringify(text));
    // Who stands before us may use such a parser: it must have seen the same requests, in the same places.
    const before = await node.read(text);
    const shapes = (read: readonly ReadMessage[]): unknown => read.map(({ method, body }) => [method, body]);
    assert.deepEqual(
      shapes(before.slice(0, own.length)),
      shapes(messages),
      `read from ${JSON.stringify(text)}`,
    );
  }
  return { taken, refused };
}

test("whatever is wrong with the framing, what is sent on is read alike by everybody", async (t) => {
  const { taken, refused } = await compare(framingMutations());
  t.diagnostic(`${taken} taken, ${refused} refused`);
  assert.ok(taken > 500 && refused > 500);
});

test("the same for what chance makes of requests", async (t) => {
  const { taken, refused } = await compare(randomMutations(RANDOM.seed, RANDOM.count));
  t.diagnostic(`${taken} taken, ${refused} refused`);
  assert.ok(taken > 100 && refused > 500);
});

test("no bytes at all make a session throw, or say the end of a body twice", () => {
  for (const text of randomMutations(RANDOM.seed + 1, RANDOM.count)) {
    const log = new RequestLog();
    const wire = new MemoryWire();
    const options = { maxHeadBytes: 512, headMs: 0, requestMs: 0, idleMs: 0, alarms };
    const session = new Http1ServerSession(wire, log, options);
    for (let at = 0; at < text.length; at += 7) wire.receive(text.slice(at, at + 7));
    wire.close();
    assert.equal(session.active, 0);
    for (const { sink } of log.requests) assert.ok(sink.ends + (sink.cause === undefined ? 0 : 1) <= 1);
  }
});

test("no bytes at all make an answer that ends twice", () => {
  for (const text of randomMutations(RANDOM.seed + 2, RANDOM.count)) {
    const wire = new MemoryWire();
    const answer = new AnswerLog();
    const session = new Http1ClientSession(wire, { changed() {}, closed() {} }, alarms);
    session.request(
      {
        method: "GET",
        target: "/",
        authority: "a",
        scheme: undefined,
        upgrade: undefined,
        headers: new HeaderList(),
        body: { kind: "none" },
        expectsContinue: false,
      },
      answer,
    );
    const status = text.replace(/^[^\r\n]*/, "HTTP/1.1 200 OK");
    for (let at = 0; at < status.length; at += 5) wire.receive(status.slice(at, at + 5));
    wire.close();
    assert.equal(answer.ends + (answer.cause === undefined ? 0 : 1), 1, JSON.stringify(text));
  }
});
