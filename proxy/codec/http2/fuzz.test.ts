import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../tables/header-list.ts";
import { FrameType } from "./frame.ts";
import { TestClient } from "./testing/client.ts";
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
  uint32,
  windowUpdate,
} from "./testing/frames.ts";
import { Random } from "./testing/random.ts";
import { TestServer } from "./testing/server.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 1);
const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? 400);
const FRAMES = 60;
const OK: Fields = [[":status", "200"]];
const SERVER_BLOCKS: readonly Fields[] = [POST, GET, [["grpc-status", "0"]], [...GET, ["A", "b"]]];
const CLIENT_BLOCKS: readonly Fields[] = [
  OK,
  [[":status", "103"]],
  [...OK, ["content-length", "3"]],
  [["a", "b"]],
];
/** What a connection may keep for a peer: windows, one frame and answers, far from what was sent. */
const MOST_WRITTEN = 1_000_000;

/** Frames as they should be, or nearly; `ids`: the streams that there can be, grown by `opens`. */
class Speaker {
  readonly #random: Random;
  readonly #blocks: readonly Fields[];
  readonly #opens: boolean;
  #lastId: number;

  constructor(random: Random, blocks: readonly Fields[], opens: boolean, lastId: number) {
    this.#random = random;
    this.#blocks = blocks;
    this.#opens = opens;
    this.#lastId = lastId;
  }

  next(): Buffer {
    const random = this.#random;
    const id = random.chance(0.01) ? random.below(40) : this.#anyId();
    const end = random.chance(0.3) ? "end" : "open";
    const kind = random.below(100);
    if (kind < 35) {
      const fields = random.chance(0.8) ? this.#blocks[0] : random.pick(this.#blocks);
      return headers(this.#opens && random.chance(0.8) ? (this.#lastId += 2) : id, fields ?? [], end);
    }
    if (kind < 65) return data(id, Buffer.alloc(random.below(random.chance(0.1) ? 16_385 : 50)), end);
    if (kind < 70) return rstStream(id, random.below(15));
    if (kind < 88) return windowUpdate(random.chance(0.5) ? 0 : id, 1 + random.below(70_000));
    if (kind < 93) return settings([random.pick([1, 3, 4, 6, 0x99]), random.below(70_000)]);
    if (kind < 95) return frame(FrameType.ping, random.below(2), 0, random.bytes(8));
    if (kind < 99) return frame(FrameType.priority, 0, id, random.bytes(5));
    if (random.chance(0.5))
      return frame(FrameType.goaway, 0, 0, Buffer.concat([uint32(2 * random.below(20) + 1), uint32(0)]));
    return frame(random.below(12), random.below(256), id, random.bytes(random.below(40)));
  }

  #anyId(): number {
    return this.#lastId < 1 ? 1 : 2 * this.#random.below((this.#lastId + 1) / 2) + 1;
  }
}

/** With some bits turned, cut short, or doubled. */
function mutated(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  while (copy.length > 0 && random.chance(0.5)) copy[random.below(copy.length)] = random.below(256);
  if (random.chance(0.1)) return copy.subarray(0, random.below(copy.length + 1));
  return random.chance(0.1) ? Buffer.concat([copy, copy]) : copy;
}

function traffic(random: Random, hello: Buffer, speaker: Speaker): Buffer {
  const frames = Array.from({ length: FRAMES }, () => {
    const next = speaker.next();
    return random.chance(0.02) ? mutated(random, next) : next;
  });
  return Buffer.concat([random.chance(0.02) ? mutated(random, hello) : hello, ...frames]);
}

function feed(random: Random, bytes: Buffer, send: (piece: Buffer) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.chance(0.5) ? 20 : 5000);
    send(bytes.subarray(at, at + size));
    at += size;
  }
}

test(`a server takes anything: ${ROUNDS} connections from seed ${SEED}`, () => {
  let served = 0;
  let failed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED * 100_003 + round);
    const server = new TestServer();
    server.onRequest = (request) => {
      served++;
      request.accepts = random.chance(0.8);
      if (random.chance(0.8)) request.stream.receive(request);
      if (random.chance(0.5)) request.answer(random.chance(0.5) ? "x".repeat(random.below(100_000)) : "");
      else if (random.chance(0.2)) request.stream.reset({ kind: "cancelled" });
    };
    feed(random, traffic(random, HELLO, new Speaker(random, SERVER_BLOCKS, true, -1)), (piece) => {
      server.send(piece);
      const pick = server.requests.at(random.below(Math.max(1, server.requests.length)));
      if (random.chance(0.3)) pick?.stream.resume();
      if (random.chance(0.5)) server.wire.take();
    });
    if (server.wire.ended) failed++;
    assert.ok(server.wire.pending < MOST_WRITTEN);
    server.wire.input?.closed("over");
    assert.equal(server.closed, 1);
    assert.equal(server.session.active, 0);
    for (const { closed, ended, cause } of server.requests) {
      assert.notEqual(closed, undefined, `seed ${SEED}, connection ${round}: a request is left open`);
      assert.ok(!(ended && cause !== undefined), "an end is an end");
    }
  }
  assert.ok(served > ROUNDS, `${served} requests: is it traffic at all?`);
  assert.ok(failed > 0);
});

test(`a client takes anything: ${ROUNDS} connections from seed ${SEED}`, () => {
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED * 200_003 + round);
    const client = new TestClient();
    const answers = Array.from({ length: 6 }, () =>
      client.ask(random.chance(0.5) ? {} : { method: "POST", body: { kind: "streamed" } }),
    );
    const bytes = traffic(random, settings(), new Speaker(random, CLIENT_BLOCKS, false, 11));
    feed(random, bytes, (piece) => {
      client.send(piece);
      const answer = random.pick(answers);
      answer.accepts = random.chance(0.8);
      if (random.chance(0.3)) answer.stream.resume();
      if (random.chance(0.3)) answer.stream.data(Buffer.alloc(random.below(20_000)));
      if (random.chance(0.1))
        answer.stream.end(random.chance(0.5) ? undefined : HeaderList.fromRaw(["a", "b"]));
      if (random.chance(0.02)) answer.stream.reset({ kind: "cancelled" });
      if (random.chance(0.5)) client.wire.take();
    });
    client.wire.input?.closed("over");
    assert.equal(client.session.active, 0);
    assert.equal(client.closed, 1);
    for (const { ended, cause, response } of answers) {
      if (response !== undefined) answered++;
      assert.ok(ended <= 1 && !(ended === 1 && cause !== undefined), `seed ${SEED}, connection ${round}`);
    }
  }
  assert.ok(answered > ROUNDS, `${answered} answers: is it traffic at all?`);
});
