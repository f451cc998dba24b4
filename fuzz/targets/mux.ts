import assert from "node:assert/strict";
import { FrameReader } from "../../proxy/codec/mux/frame-reader.ts";
import { FrameWriter } from "../../proxy/codec/mux/frame-writer.ts";
import { FrameKind } from "../../proxy/codec/mux/frames.ts";
import {
  decodeHeaders,
  decodeRequest,
  decodeResponse,
  encodeHeaders,
  encodeRequest,
  encodeResponse,
} from "../../proxy/codec/mux/heads.ts";
import { TunnelClient } from "../../proxy/codec/mux/tunnel-client.ts";
import { TunnelServer } from "../../proxy/codec/mux/tunnel-server.ts";
import type { RequestHead, ResponseHead } from "../../proxy/codec/stream.ts";
import { HeaderList } from "../../proxy/tables/header-list.ts";
import { Alarms } from "../../proxy/transport/alarms.ts";
import { FakeWire } from "../../test/fakes/wire-pair.ts";
import { AskingOwner } from "../contract/asking-owner.ts";
import { converse, seedOf } from "../contract/converse.ts";
import { checkHeaders, checkRequestHead, checkResponseHead } from "../contract/heads.ts";
import { ServingOwner } from "../contract/serving-owner.ts";
import type { Target } from "../target.ts";

const alarms = new Alarms(() => 0);
const SETTINGS = { maxStreams: 8, window: 65_536 };

const GET: RequestHead = {
  method: "GET",
  target: "/",
  authority: "a",
  scheme: "http",
  upgrade: undefined,
  headers: HeaderList.fromRaw(["x-a", "1"]),
  body: { kind: "none" },
  expectsContinue: false,
};
const REQUESTS: readonly RequestHead[] = [
  GET,
  { ...GET, method: "POST", body: { kind: "streamed" } },
  { ...GET, method: "PUT", body: { kind: "sized", bytes: 5 } },
  { ...GET, method: "CONNECT", target: "", body: { kind: "streamed" } },
  { ...GET, upgrade: "websocket" },
];
const OK: ResponseHead = { status: 200, headers: new HeaderList(), body: { kind: "streamed" } };
const RESPONSES: readonly ResponseHead[] = [
  OK,
  { ...OK, body: { kind: "sized", bytes: 5 } },
  { ...OK, status: 304, body: { kind: "none", announced: 7 } },
  { ...OK, status: 101 },
];

/** What a peer writes, as octets. */
function said(...writes: readonly ((writer: FrameWriter) => void)[]): Buffer {
  const wire = new FakeWire();
  const writer = new FrameWriter(wire);
  for (const write of writes) write(writer);
  return wire.take();
}

type Write = (writer: FrameWriter) => void;
const hello: Write = (writer) => writer.settings(SETTINGS);
const COMMON: readonly Write[] = [1, 2].flatMap<Write>((id) => [
  (writer) => writer.data(id, Buffer.from("hello"), false),
  (writer) => writer.data(id, Buffer.from("hello"), true),
  (writer) => writer.data(id, Buffer.alloc(0), true),
  (writer) => writer.head(FrameKind.trailers, id, encodeHeaders(HeaderList.fromRaw(["a", "b"])), true),
  (writer) => writer.reset(id, id),
  (writer) => writer.credit(id, 1000),
  (writer) => writer.credit(id, 0x7fff_ffff),
  (writer) => writer.ping(id),
  (writer) => writer.pong(id),
  (writer) => writer.goaway(id),
  (writer) => writer.settings({ maxStreams: id, window: id }),
]);
const OPENINGS: readonly Write[] = [
  ...REQUESTS.map<Write>(
    (head, index) => (writer) =>
      writer.head(
        FrameKind.request,
        index + 1,
        encodeRequest(head),
        head.body.kind === "none" && head.upgrade === undefined,
      ),
  ),
  (writer) => writer.connect(6),
];
const ANSWERS: readonly Write[] = RESPONSES.flatMap<Write>((head, index) => [
  (writer) => writer.head(FrameKind.response, index + 1, encodeResponse(head), head.body.kind === "none"),
  (writer) => writer.head(FrameKind.interim, index + 1, encodeResponse({ ...OK, status: 103 }), false),
]);

const seedsOf = (first: readonly Write[]): readonly Buffer[] =>
  [...first.map((one) => [one]), [...first], ...COMMON.map((one) => [...first.slice(0, 2), one])].map(
    (writes, index) => Buffer.concat([Buffer.from([index, index * 13]), said(hello, ...writes)]),
  );
const wordsOf = (first: readonly Write[]): readonly string[] =>
  [hello, ...COMMON, ...first].map((write) => said(write).toString("latin1"));

export const muxServer: Target = {
  name: "mux-server",
  longest: 4096,
  words: wordsOf(OPENINGS),
  seeds: () => seedsOf(OPENINGS),
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new ServingOwner(random);
    const session = new TunnelServer(wire, owner, { alarms, idleMs: 0, settings: SETTINGS });
    if (random.chance(0.1)) session.drain();
    checkFrames(converse(random, input, wire, owner, session));
  },
};

export const muxClient: Target = {
  name: "mux-client",
  longest: 4096,
  words: wordsOf(ANSWERS),
  seeds: () => seedsOf(ANSWERS),
  run(input) {
    const random = seedOf(input);
    const wire = new FakeWire();
    const owner = new AskingOwner(random);
    const session = new TunnelClient(wire, owner, alarms, SETTINGS);
    owner.session = session;
    for (let first = random.below(4); first >= 0; first--) owner.step();
    checkFrames(converse(random, input, wire, owner, session));
  },
};

function checkFrames(written: Buffer): void {
  const reader = new FrameReader({ frame() {}, data() {}, broken: (reason) => assert.fail(reason) });
  reader.read(written);
  assert.ok(!reader.midFrame, "a frame is cut off");
}

/** A head by itself, after an octet that says which, and whether the frame has FIN. What is taken is written the same. */
export const muxHeads: Target = {
  name: "mux-heads",
  longest: 1024,
  words: [
    "\0",
    "\0\0",
    "GET",
    "CONNECT",
    "/",
    "*",
    "http",
    "websocket",
    "x-a",
    "content-length",
    "1",
    "200",
    "999",
  ],
  seeds: () => [
    ...REQUESTS.map((head) => Buffer.from(`\0${encodeRequest(head)}`, "latin1")),
    ...RESPONSES.map((head) => Buffer.from(`\x01${encodeResponse(head)}`, "latin1")),
    Buffer.from(`\x02${encodeHeaders(HeaderList.fromRaw(["a", "b", "C", "d"]))}`, "latin1"),
  ],
  run(input) {
    const kind = input[0] ?? 0;
    const payload = input.subarray(1);
    const fin = (kind & 4) !== 0;
    if ((kind & 3) === 0) {
      const read = decodeRequest(payload, fin);
      if (!read.ok) return;
      checkRequestHead(read.head);
      assert.deepEqual(decodeRequest(Buffer.from(encodeRequest(read.head), "latin1"), fin), read);
    } else if ((kind & 3) === 1) {
      const read = decodeResponse(payload, fin);
      if (!read.ok) return;
      if (read.head.status >= 200) checkResponseHead(read.head);
      assert.deepEqual(decodeResponse(Buffer.from(encodeResponse(read.head), "latin1"), fin), read);
    } else {
      const read = decodeHeaders(payload);
      if (!read.ok) return;
      checkHeaders(read.head);
      assert.deepEqual(decodeHeaders(Buffer.from(encodeHeaders(read.head), "latin1")), read);
    }
  },
};
