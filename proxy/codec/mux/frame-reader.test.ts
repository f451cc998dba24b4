import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeWire } from "../../../test/fakes/wire-pair.ts";
import { Random } from "../../../test/harness/random.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { FrameKind, RECORD_DATA_BYTES } from "./frames.ts";

type Heard = { readonly kind: number; readonly stream: number; readonly text: string; readonly fin: boolean };

/** Whole frames and, joined, the DATA of each stream. */
function listen(): {
  readonly reader: FrameReader;
  readonly frames: Heard[];
  readonly data: Map<number, string>;
  readonly broken: string[];
} {
  const frames: Heard[] = [];
  const data = new Map<number, string>();
  const broken: string[] = [];
  const reader = new FrameReader({
    frame: (kind, stream, payload, fin) =>
      frames.push({ kind, stream, text: payload.toString("latin1"), fin }),
    data: (stream, bytes, fin) =>
      data.set(stream, `${data.get(stream) ?? ""}${bytes.toString("latin1")}${fin ? "$" : ""}`),
    broken: (reason) => broken.push(reason),
  });
  return { reader, frames, data, broken };
}

function sample(): Buffer {
  const wire = new FakeWire();
  const writer = new FrameWriter(wire);
  writer.settings({ maxStreams: 7, window: 9 });
  writer.head(FrameKind.request, 1, "GET\0/", false);
  writer.data(1, Buffer.alloc(3 * RECORD_DATA_BYTES + 5, "x"), true);
  writer.head(FrameKind.response, 1, "r".repeat(20_000), false);
  writer.data(2, Buffer.alloc(0), true);
  writer.credit(1, 0x7fff_ffff);
  writer.ping(0xffff_ffff);
  writer.connect(0x7fff_ffff);
  writer.head(FrameKind.trailers, 1, "", true);
  return wire.take();
}

test("frames are the same however the bytes are cut", () => {
  const bytes = sample();
  const whole = listen();
  whole.reader.read(bytes);
  assert.equal(whole.frames.length, 7);
  assert.equal(whole.data.get(1), `${"x".repeat(3 * RECORD_DATA_BYTES + 5)}$`);
  assert.equal(whole.data.get(2), "$");
  assert.equal(whole.reader.midFrame, false);
  const random = new Random(11);
  for (let round = 0; round < 200; round++) {
    const cut = listen();
    const most = random.pick([1, 3, 9, 100, 5000, 30_000]);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random.below(most));
      const chunk = Buffer.from(bytes.subarray(at, end));
      cut.reader.read(chunk);
      chunk.fill(0);
      at = end;
    }
    assert.deepEqual(
      { frames: cut.frames, data: cut.data, broken: cut.broken },
      { frames: whole.frames, data: whole.data, broken: [] },
    );
  }
});

for (const { kind, length, fine } of [
  { kind: FrameKind.data, length: 16_384, fine: true },
  { kind: FrameKind.data, length: 16_385, fine: false },
  { kind: FrameKind.request, length: 65_536, fine: true },
  { kind: FrameKind.request, length: 65_537, fine: false },
  { kind: FrameKind.credit, length: 1025, fine: false },
  { kind: 0x55, length: 1024, fine: true },
  { kind: 0x55, length: 0xff_ffff, fine: false },
]) {
  test(`a frame of kind ${kind} with ${length} octets is ${fine ? "read" : "the end of the connection, before any of it is kept"}`, () => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(((length << 8) | kind) >>> 0, 0);
    header.writeUInt32BE(1, 4);
    const { reader, frames, broken, data } = listen();
    reader.read(header);
    if (fine) {
      reader.read(Buffer.alloc(length));
      assert.equal(frames.length + (data.get(1)?.length ?? 0), kind === FrameKind.data ? length : 1);
    } else {
      reader.read(Buffer.alloc(64));
      assert.equal(frames.length, 0);
    }
    assert.equal(broken.length, fine ? 0 : 1);
  });
}
