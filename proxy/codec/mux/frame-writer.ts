import type { Output } from "../../transport/wire.ts";
import { FIN, FRAME_HEADER_BYTES, FrameKind, MOST_DATA_BYTES, type Settings } from "./frames.ts";

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

  /** Cut to frames of at most `MOST_DATA_BYTES`; `fin` goes with the last. */
  data(stream: number, bytes: Uint8Array, fin: boolean): void {
    if (bytes.length <= MOST_DATA_BYTES) {
      this.#header(FrameKind.data | (fin ? FIN : 0), stream, bytes.length);
      if (bytes.length > 0) this.output.bytes(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; at += MOST_DATA_BYTES) {
      const end = Math.min(bytes.length, at + MOST_DATA_BYTES);
      this.data(stream, bytes.subarray(at, end), fin && end === bytes.length);
    }
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
    const room = this.output.reserve(FRAME_HEADER_BYTES);
    room.writeUInt32BE(((length << 8) | kind) >>> 0, 0);
    room.writeUInt32BE(stream, 4);
  }
}
