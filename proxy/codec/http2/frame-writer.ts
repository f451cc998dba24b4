import { FULL_BYTES, type Output } from "../../transport/wire.ts";
import type { ErrorCode } from "./error-code.ts";
import { Flag, FrameType, frameHeader, MIN_MAX_FRAME_SIZE, uint32 } from "./frame.ts";
import { NO_TABLE } from "./hpack/encoder.ts";

/** What frames that cannot wait may add to a full output before the peer counts as one that never reads. */
const UNREAD_CONTROL = 262_144;

/** Writes the frames of one connection (RFC 9113 §6). */
export class FrameWriter {
  readonly output: Output;
  readonly #unread: () => void;
  #blockSent = false;

  /** `unread` is called instead of writing once too much waits for a peer that does not read. */
  constructor(output: Output, unread: () => void) {
    this.output = output;
    this.#unread = unread;
  }

  /** Bodies have to wait. */
  get congested(): boolean {
    return this.output.pending >= FULL_BYTES;
  }

  /** A field block, in as many frames as it takes. */
  headers(id: number, fields: string, endStream: boolean): void {
    const block = this.#blockSent ? fields : NO_TABLE + fields;
    this.#blockSent = true;
    const end = endStream ? Flag.endStream : 0;
    if (block.length <= MIN_MAX_FRAME_SIZE) {
      this.output.latin1(frameHeader(block.length, FrameType.headers, end | Flag.endHeaders, id) + block);
      return;
    }
    for (let at = 0; at < block.length; at += MIN_MAX_FRAME_SIZE) {
      const part = block.slice(at, at + MIN_MAX_FRAME_SIZE);
      const last = at + part.length === block.length ? Flag.endHeaders : 0;
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      this.output.latin1(frameHeader(part.length, type, at === 0 ? end | last : last, id) + part);
    }
  }

  /** `bytes[from..from + count)`, at most a frame of it. */
  data(id: number, bytes: Buffer, from: number, count: number): void {
    this.output.latin1(frameHeader(count, FrameType.data, 0, id));
    this.output.bytes(count === bytes.length ? bytes : bytes.subarray(from, from + count));
  }

  endOfData(id: number): void {
    this.output.latin1(frameHeader(0, FrameType.data, Flag.endStream, id));
  }

  settings(payload: string): void {
    this.#control(frameHeader(payload.length, FrameType.settings, 0, 0) + payload);
  }

  settingsAck(): void {
    this.#control(frameHeader(0, FrameType.settings, Flag.ack, 0));
  }

  /** `opaque`: eight characters. */
  ping(opaque: string, flags: number): void {
    this.#control(frameHeader(8, FrameType.ping, flags, 0) + opaque);
  }

  windowUpdate(id: number, increment: number): void {
    this.#control(frameHeader(4, FrameType.windowUpdate, 0, id) + uint32(increment));
  }

  reset(id: number, code: ErrorCode): void {
    this.#control(frameHeader(4, FrameType.rstStream, 0, id) + uint32(code));
  }

  goaway(lastId: number, code: ErrorCode, reason: string): void {
    const payload = uint32(lastId) + uint32(code) + reason;
    this.#control(frameHeader(payload.length, FrameType.goaway, 0, 0) + payload);
  }

  /** What answers the peer or steers it: bodies wait when the peer does not read, these cannot. */
  #control(frame: string): void {
    if (this.output.pending > FULL_BYTES + UNREAD_CONTROL) this.#unread();
    else this.output.latin1(frame);
  }
}
