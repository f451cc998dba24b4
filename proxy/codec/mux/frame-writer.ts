import type { Output } from "../../transport/wire.ts";
import { FIN, FRAME_HEADER_BYTES, FrameKind, RECORD_DATA_BYTES, type Settings } from "./frames.ts";

/** Writes frames of the tunnel; all of a turn go out in one write. */
export class FrameWriter {
  readonly output: Output;

  constructor(output: Output) {
    this.output = output;
  }

  /** `text` is an encoded head (`heads.ts`). */
  head(kind: FrameKind, stream: number, text: string, fin: boolean): void {
    this.#header(kind | (fin ? FIN : 0), stream, text.length);
    this.output.latin1(text);
  }

  /** Cut to frames that fit a TLS record with their headers; `fin` goes with the last. */
  data(stream: number, bytes: Uint8Array, fin: boolean): void {
    let at = 0;
    do {
      const part = bytes.subarray(at, at + RECORD_DATA_BYTES);
      at += part.length;
      const frame = this.output.reserve(FRAME_HEADER_BYTES + part.length);
      writeHeader(frame, FrameKind.data | (fin && at === bytes.length ? FIN : 0), stream, part.length);
      frame.set(part, FRAME_HEADER_BYTES);
    } while (at < bytes.length);
  }

  settings({ maxStreams, window }: Settings): void {
    this.#header(FrameKind.settings, 0, 8);
    const room = this.output.reserve(8);
    room.writeUInt32BE(maxStreams, 0);
    room.writeUInt32BE(window, 4);
  }

  reset(stream: number, code: number): void {
    this.#number(FrameKind.reset, stream, code);
  }

  credit(stream: number, bytes: number): void {
    this.#number(FrameKind.credit, stream, bytes);
  }

  ping(token: number): void {
    this.#number(FrameKind.ping, 0, token);
  }

  pong(token: number): void {
    this.#number(FrameKind.pong, 0, token);
  }

  goaway(last: number): void {
    this.#number(FrameKind.goaway, 0, last);
  }

  connect(stream: number): void {
    this.#header(FrameKind.connect, stream, 0);
  }

  #number(kind: FrameKind, stream: number, value: number): void {
    this.#header(kind, stream, 4);
    this.output.reserve(4).writeUInt32BE(value, 0);
  }

  #header(kind: number, stream: number, length: number): void {
    writeHeader(this.output.reserve(FRAME_HEADER_BYTES), kind, stream, length);
  }
}

function writeHeader(frame: Buffer, kind: number, stream: number, length: number): void {
  frame.writeUInt32BE(((length << 8) | kind) >>> 0, 0);
  frame.writeUInt32BE(stream, 4);
}
