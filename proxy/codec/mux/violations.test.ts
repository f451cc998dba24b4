import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeWire, wirePair } from "../../../test/fakes/wire-pair.ts";
import { Random } from "../../../test/harness/random.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import type { RequestHead, ResponseReceiver, ServerStream } from "../stream.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { FIN, FrameKind, ResetCode } from "./frames.ts";
import { encodeRequest } from "./heads.ts";
import { TunnelClient } from "./tunnel-client.ts";
import { TunnelServer } from "./tunnel-server.ts";

const WINDOW = 100;
const GET: RequestHead = {
  method: "GET",
  target: "/",
  authority: "a",
  scheme: undefined,
  upgrade: undefined,
  headers: new HeaderList(),
  body: { kind: "none" },
  expectsContinue: false,
};
const POST: RequestHead = { ...GET, method: "POST", body: { kind: "sized", bytes: 5 } };
const PUT: RequestHead = { ...GET, method: "PUT", body: { kind: "streamed" } };

const ALARMS = new Alarms(() => performance.now());
const NOBODY = { request: undefined, bytes: undefined, refused: () => {}, closed: () => {} };

interface Told {
  readonly kind: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What was written, DATA left out. */
function framesOf(bytes: Buffer): Told[] {
  const told: Told[] = [];
  new FrameReader({
    frame: (kind, stream, payload) => told.push({ kind, stream, payload: Buffer.from(payload) }),
    data: () => {},
    broken: (reason) => assert.fail(reason),
  }).read(bytes);
  return told;
}

interface Case {
  readonly name: string;
  readonly write: (writer: FrameWriter, raw: FakeWire) => void;
  /** The connection ends, or stream 1 is reset with this code, or nothing happens. */
  readonly outcome: "broken" | number | "nothing";
}

const frame = (raw: FakeWire, kind: number, stream: number, payload: Buffer): void => {
  const header = raw.reserve(8);
  header.writeUInt32BE(((payload.length << 8) | kind) >>> 0, 0);
  header.writeUInt32BE(stream, 4);
  raw.bytes(payload);
};
const open = (writer: FrameWriter, stream: number, head: RequestHead): void =>
  writer.head(FrameKind.request, stream, encodeRequest(head), head.body.kind === "none");

const cases: readonly Case[] = [
  { name: "stream 0", write: (writer) => open(writer, 0, GET), outcome: "broken" },
  {
    name: "a number used twice",
    write: (writer) => [1, 1].forEach((id) => open(writer, id, GET)),
    outcome: "broken",
  },
  {
    name: "numbers that fall",
    write: (writer) => [5, 3].forEach((id) => open(writer, id, GET)),
    outcome: "broken",
  },
  {
    name: "a number beyond the highest",
    write: (writer) => open(writer, 0x8000_0000, GET),
    outcome: "broken",
  },
  {
    name: "an answer",
    write: (writer) => writer.head(FrameKind.response, 1, "200\0", true),
    outcome: "broken",
  },
  {
    name: "DATA for a stream that was not opened",
    write: (writer) => writer.data(1, Buffer.alloc(1), false),
    outcome: "broken",
  },
  {
    name: "CREDIT for a stream that was not opened",
    write: (writer) => writer.credit(7, 1),
    outcome: "broken",
  },
  { name: "RESET of a stream that was not opened", write: (writer) => writer.reset(7, 0), outcome: "broken" },
  {
    name: "TRAILERS for a stream that was not opened",
    write: (writer) => writer.head(FrameKind.trailers, 7, "", true),
    outcome: "broken",
  },
  {
    name: "credit of nothing",
    write: (writer) => (open(writer, 1, PUT), writer.credit(1, 0)),
    outcome: "broken",
  },
  {
    name: "credit beyond the most",
    write: (writer) => (open(writer, 1, PUT), writer.credit(1, 0x7fff_ffff)),
    outcome: "broken",
  },
  {
    name: "SETTINGS that are too short",
    write: (_, raw) => frame(raw, FrameKind.settings, 0, Buffer.alloc(7)),
    outcome: "broken",
  },
  {
    name: "SETTINGS with a window beyond the most",
    write: (writer) => writer.settings({ maxStreams: 1, window: 0x8000_0000 }),
    outcome: "broken",
  },
  {
    name: "CREDIT of three octets",
    write: (writer, raw) => (open(writer, 1, PUT), frame(raw, FrameKind.credit, 1, Buffer.alloc(3))),
    outcome: "broken",
  },
  {
    name: "PING of five octets",
    write: (_, raw) => frame(raw, FrameKind.ping, 0, Buffer.alloc(5)),
    outcome: "broken",
  },
  {
    name: "a frame that is too long",
    write: (_, raw) => frame(raw, FrameKind.data, 1, Buffer.alloc(16_385)),
    outcome: "broken",
  },
  {
    name: "more DATA than there is credit for",
    write: (writer) => (open(writer, 1, PUT), writer.data(1, Buffer.alloc(WINDOW + 1), false)),
    outcome: ResetCode.protocol,
  },
  {
    name: "more DATA than was announced",
    write: (writer) => (open(writer, 1, POST), writer.data(1, Buffer.alloc(6), false)),
    outcome: ResetCode.protocol,
  },
  {
    name: "less DATA than was announced",
    write: (writer) => (open(writer, 1, POST), writer.data(1, Buffer.alloc(4), true)),
    outcome: ResetCode.protocol,
  },
  {
    name: "less DATA than was announced, with trailers",
    write: (writer) => (open(writer, 1, POST), writer.head(FrameKind.trailers, 1, "", true)),
    outcome: ResetCode.protocol,
  },
  {
    name: "DATA after the end",
    write: (writer) => (open(writer, 1, GET), writer.data(1, Buffer.alloc(1), false)),
    outcome: ResetCode.protocol,
  },
  {
    name: "a second end",
    write: (writer) => (open(writer, 1, GET), writer.data(1, Buffer.alloc(0), true)),
    outcome: ResetCode.protocol,
  },
  {
    name: "trailers that break their line",
    write: (writer) => (open(writer, 1, PUT), writer.head(FrameKind.trailers, 1, "a\0b\r\nc", true)),
    outcome: ResetCode.protocol,
  },
  {
    name: "a head that cannot be",
    write: (writer) => writer.head(FrameKind.request, 1, "GET\0/ HTTP/1.1\r\n", true),
    outcome: ResetCode.protocol,
  },
  {
    name: "a kind that is not known",
    write: (_, raw) => frame(raw, 0x60, 9, Buffer.from("later")),
    outcome: "nothing",
  },
  {
    name: "a settled stream's late frames",
    write: (writer) => (
      open(writer, 1, PUT),
      writer.reset(1, 0),
      writer.data(1, Buffer.alloc(9), true),
      writer.credit(1, 5),
      writer.reset(1, 0)
    ),
    outcome: "nothing",
  },
];

for (const { name, write, outcome } of cases) {
  test(`a server that is sent ${name}: ${told(outcome)}`, () => {
    const wire = new FakeWire();
    const streams: ServerStream[] = [];
    const serving = new TunnelServer(
      wire,
      { ...NOBODY, request: (_, stream) => streams.push(stream) },
      { alarms: ALARMS, idleMs: 0, settings: { maxStreams: 4, window: WINDOW } },
    );
    wire.take();
    const from = new FakeWire();
    write(new FrameWriter(from), from);
    wire.feed(from.take());
    judge(wire, outcome);
    assert.ok(serving.active <= streams.length);
  });
}

const answers: readonly Case[] = [
  { name: "the head of a request", write: (writer) => open(writer, 1, GET), outcome: "broken" },
  {
    name: "an answer that nobody asked for",
    write: (writer) => writer.head(FrameKind.response, 2, "200\0", true),
    outcome: "broken",
  },
  {
    name: "two answers",
    write: (writer) => [0, 1].forEach(() => writer.head(FrameKind.response, 1, "200\0", false)),
    outcome: "broken",
  },
  {
    name: "an interim answer with a final status",
    write: (writer) => writer.head(FrameKind.interim, 1, "200\0", false),
    outcome: "broken",
  },
  {
    name: "an interim answer that ends",
    write: (writer) => writer.head(FrameKind.interim, 1, "103\0", true),
    outcome: "broken",
  },
  {
    name: "a final answer with an interim status",
    write: (writer) => writer.head(FrameKind.response, 1, "100\0", false),
    outcome: "broken",
  },
  {
    name: "a head that cannot be",
    write: (writer) => writer.head(FrameKind.response, 1, "abc\0", false),
    outcome: "broken",
  },
  {
    name: "DATA before the head",
    write: (writer) => writer.data(1, Buffer.alloc(1), false),
    outcome: ResetCode.protocol,
  },
  {
    name: "TRAILERS before the head",
    write: (writer) => writer.head(FrameKind.trailers, 1, "", true),
    outcome: ResetCode.protocol,
  },
  {
    name: "more than was announced",
    write: (writer) => (
      writer.head(FrameKind.response, 1, "200\x003", false), writer.data(1, Buffer.alloc(4), true)
    ),
    outcome: ResetCode.protocol,
  },
];

for (const { name, write, outcome } of answers) {
  test(`a client that is sent ${name}: ${told(outcome)}`, () => {
    const wire = new FakeWire();
    const events: string[] = [];
    const tunnel = new TunnelClient(wire, { changed: () => {}, closed: () => {} }, ALARMS);
    tunnel.request(GET, receiver(events));
    wire.take();
    const from = new FakeWire();
    write(new FrameWriter(from), from);
    wire.feed(from.take());
    judge(wire, outcome);
    assert.match(events.at(-1) ?? "", outcome === "broken" ? /reset disconnected/ : /reset protocol/);
    assert.equal(tunnel.active, 0);
  });
}

function told(outcome: Case["outcome"]): string {
  if (outcome === "nothing") return "it goes on";
  return outcome === "broken" ? "the connection ends" : "that stream ends, the connection goes on";
}

function judge(wire: FakeWire, outcome: Case["outcome"]): void {
  assert.equal(wire.state, outcome === "broken" ? "destroyed" : "open");
  const resets = framesOf(wire.take()).filter(({ kind }) => kind === FrameKind.reset);
  const wanted = typeof outcome === "number" ? [{ stream: 1, code: outcome }] : [];
  if (outcome !== "broken") {
    assert.deepEqual(
      resets.map(({ stream, payload }) => ({ stream, code: payload.readUInt32BE(0) })),
      wanted,
    );
  }
}

function receiver(events: string[]): ResponseReceiver {
  return {
    inform: () => {},
    head: ({ status }) => events.push(`head ${status}`),
    data: () => true,
    end: () => events.push("end"),
    reset: ({ kind }) => events.push(`reset ${kind}`),
    writable: () => {},
  };
}

test("pings that nobody reads the answers of end the connection", () => {
  const wire = new FakeWire();
  const ends: string[] = [];
  const serving = new TunnelServer(
    wire,
    { ...NOBODY, closed: () => ends.push("told") },
    { alarms: ALARMS, idleMs: 0 },
  );
  wire.pending = 100_000_000;
  const from = new FakeWire();
  new FrameWriter(from).ping(1);
  wire.feed(from.take());
  assert.deepEqual([wire.state, ends, serving.active], ["destroyed", ["told"], 0]);
});

test("whatever comes, nothing throws, streams stay below their number, and a live connection still answers", () => {
  const random = new Random(77);
  let survived = 0;
  for (let round = 0; round < 3000; round++) {
    const pair = wirePair();
    const serving = new TunnelServer(
      pair.server,
      {
        ...NOBODY,
        request: (_, stream) => {
          stream.observe({ writable: () => {}, closed: () => {} });
          stream.receive({ data: () => random.chance(0.7), end: () => {}, reset: () => {} });
          if (random.chance(0.6))
            stream.respond({ status: 200, headers: new HeaderList(), body: { kind: "streamed" } });
          if (random.chance(0.6)) stream.data(Buffer.alloc(random.below(300)));
          if (random.chance(0.5)) stream.end(undefined);
        },
        bytes: random.chance(0.5) ? (stream) => stream.end(undefined) : undefined,
      },
      { alarms: ALARMS, idleMs: 0, settings: { maxStreams: 4, window: WINDOW } },
    );
    const bytes = noise(random);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random.below(60));
      pair.server.feed(bytes.subarray(at, end));
      at = end;
      assert.ok(serving.active <= 4);
    }
    if (pair.server.state === "open") survived++;
  }
  assert.ok(
    survived > 100 && survived < 2900,
    `${survived} of 3000 connections survived: the noise is too kind, or too coarse`,
  );
});

/** Frames as they should be, with a few octets changed. */
function noise(random: Random): Buffer {
  const wire = new FakeWire();
  const writer = new FrameWriter(wire);
  let next = 1;
  for (let count = random.below(30); count > 0; count--) {
    const id = random.chance(0.3) ? next++ : 1 + random.below(next);
    const kind = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    if (kind === 0) writer.settings({ maxStreams: random.below(5), window: random.below(200) });
    else if (kind <= 2) open(writer, id === next - 1 ? id : next++, random.pick([GET, POST, PUT]));
    else if (kind === 3) writer.connect(next++);
    else if (kind === 4) writer.data(id, Buffer.alloc(random.below(40)), random.chance(0.3));
    else if (kind === 5) writer.head(FrameKind.trailers, id, "x\0y", true);
    else if (kind === 6) writer.reset(id, random.below(6));
    else if (kind === 7) writer.credit(id, 1 + random.below(100));
    else frame(wire, random.below(128) | (random.chance(0.5) ? FIN : 0), id, Buffer.alloc(random.below(30)));
  }
  const bytes = wire.take();
  for (let flips = random.below(3); flips > 0 && bytes.length > 0; flips--) {
    bytes[random.below(bytes.length)] = random.below(256);
  }
  return bytes;
}
