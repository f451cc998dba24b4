import assert from "node:assert/strict";
import { Http2ClientSession } from "../../proxy/codec/http2/client-session.ts";
import { ConnectionError } from "../../proxy/codec/http2/error-code.ts";
import { HpackDecoder } from "../../proxy/codec/http2/hpack/decoder.ts";
import { Http2ServerSession } from "../../proxy/codec/http2/server-session.ts";
import {
  block,
  data,
  type Fields,
  GET,
  goaway,
  HELLO,
  headers,
  POST,
  parseFrames,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from "../../proxy/codec/http2/testing/frames.ts";
import { encodeHuffman } from "../../proxy/codec/http2/testing/huffman-encode.ts";
import { Alarms } from "../../proxy/transport/alarms.ts";
import { FakeWire } from "../../test/fakes/wire-pair.ts";
import { AskingOwner } from "../contract/asking-owner.ts";
import { converse, seedOf } from "../contract/converse.ts";
import { ServingOwner } from "../contract/serving-owner.ts";
import type { Target } from "../target.ts";

const alarms = new Alarms(() => 0);
const OPTIONS = { now: () => 0, headMs: 0 };
const LARGEST_FRAME = 16_384;
const CONNECT: Fields = [
  [":method", "CONNECT"],
  [":authority", "a:80"],
];
const WEBSOCKET: Fields = [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)];
const OK: Fields = [[":status", "200"]];

const latin1 = (bytes: Buffer): string => bytes.toString("latin1");
const seeded = (frames: readonly Buffer[], index: number): Buffer =>
  Buffer.concat([Buffer.from([index, index * 11]), ...frames]);

const COMMON = [
  SETTINGS_ACK,
  settings([3, 1]),
  settings([4, 0x7fff_ffff]),
  settings([1, 0]),
  settings([5, 16_385]),
  settings([8, 1]),
  windowUpdate(0, 1),
  windowUpdate(1, 0x7fff_ffff),
  rstStream(1, 8),
  goaway(0, 0),
  data(1, "hello"),
  data(1, "", "end"),
  data(3, "hello", "end"),
];

const REQUESTS = [
  headers(1, GET),
  headers(3, POST, "open"),
  headers(5, CONNECT, "open"),
  headers(7, WEBSOCKET, "open"),
  headers(3, [["grpc-status", "0"]], "end"),
  headers(9, [...POST, ["content-length", "5"]], "open"),
];

export const http2Server: Target = {
  name: "http2-server",
  longest: 4096,
  words: [...COMMON, ...REQUESTS, HELLO].map(latin1),
  seeds: () => [
    ...REQUESTS.map((one, index) => seeded([HELLO, one], index)),
    seeded([HELLO, ...REQUESTS, ...COMMON], 99),
    ...COMMON.map((one, index) => seeded([HELLO, ...REQUESTS.slice(0, 2), one], index)),
  ],
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new ServingOwner(random);
    const session = new Http2ServerSession(wire, owner, alarms, OPTIONS);
    if (random.chance(0.1)) session.drain();
    checkFrames(converse(random, input, wire, owner, session));
  },
};

const ANSWERS = [
  headers(1, OK, "open"),
  headers(1, OK),
  headers(1, [[":status", "103"]], "open"),
  headers(3, [...OK, ["content-length", "5"]], "open"),
  headers(5, [[":status", "204"]]),
  headers(1, [["grpc-status", "0"]]),
  headers(7, [
    [":status", "304"],
    ["content-length", "9"],
  ]),
];

export const http2Client: Target = {
  name: "http2-client",
  longest: 4096,
  words: [...COMMON, ...ANSWERS].map(latin1),
  seeds: () => [
    ...ANSWERS.map((one, index) => seeded([settings(), one], index)),
    seeded([settings(), ...ANSWERS, ...COMMON], 99),
    ...COMMON.map((one, index) => seeded([settings(), ...ANSWERS.slice(0, 1), one], index)),
  ],
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new AskingOwner(random);
    const session = new Http2ClientSession(wire, owner, alarms, OPTIONS);
    owner.session = session;
    for (let first = random.below(3); first >= 0; first--) owner.step();
    checkFrames(converse(random, input, wire, owner, session));
  },
};

function checkFrames(written: Buffer): void {
  for (const { payload } of parseFrames(written))
    assert.ok(payload.length <= LARGEST_FRAME, "a frame is too large");
}

const MOST_BLOCKS = 16;

/** Blocks one after the other, each after an octet with its length. */
export const hpack: Target = {
  name: "hpack",
  longest: 1024,
  words: ["\x82", "\x40", "\x20", "\x3f\xe1\x1f", "\xbe", "\x0f\x2f", "\x7f\xff\xff\xff\x7f"],
  seeds: () => {
    const huffman = encodeHuffman("www.example.com");
    const blocks = [
      block(GET),
      block(POST),
      Buffer.concat([Buffer.from([0x41, 0x80 | huffman.length]), huffman]),
      Buffer.from([0x82, 0x86, 0x84, 0xbe]),
      Buffer.from([0x20, 0x3f, 0xe1, 0x1f, 0x40, 1, 0x61, 1, 0x62, 0xbe]),
    ];
    const written = blocks.map((one) => Buffer.concat([Buffer.from([one.length]), one]));
    return [...written, Buffer.concat(written)];
  },
  run(input) {
    const decoder = new HpackDecoder();
    if ((input[0] ?? 0) > 200) decoder.limitTable(100);
    for (let at = 0, blocks = 0; at < input.length && blocks < MOST_BLOCKS; blocks++) {
      const end = Math.min(input.length, at + 1 + (input[at] ?? 0));
      const fields = decoded(decoder, input, at + 1, end);
      if (fields === undefined) return;
      const again = block(fields);
      assert.deepEqual(decoded(new HpackDecoder(), again, 0, again.length), fields);
      at = end;
    }
  },
};

/** Undefined: it is refused. */
function decoded(
  decoder: HpackDecoder,
  bytes: Buffer,
  start: number,
  end: number,
): [string, string][] | undefined {
  const fields: [string, string][] = [];
  try {
    decoder.decode(bytes, start, end, { field: (name, value) => void fields.push([name, value]) });
    return fields;
  } catch (error) {
    if (error instanceof ConnectionError) return undefined;
    throw error;
  }
}
