import { FIN, FRAME_HEADER_BYTES, FrameKind, mostPayload } from "./frames.ts";

/** What is read from a tunnel, in order. Bytes are the reader's again on return. */
export interface FrameReceiver {
  /** A whole frame other than DATA. */
  frame(kind: number, stream: number, payload: Buffer, fin: boolean): void;
  /** DATA as it comes: a frame may be told in parts, and `fin` comes with the last (which may be empty). */
  data(stream: number, bytes: Buffer, fin: boolean): void;
  /** Nothing that follows is believed. */
  broken(reason: string): void;
}

/** Cuts a stream of bytes into frames. Keeps what is incomplete: at most one frame that is not DATA. */
export class FrameReader {
  readonly #receiver: FrameReceiver;
  /** Incomplete header or frame, header included; of `#kept` octets. */
  #partial = Buffer.alloc(0);
  #kept = 0;
  /** Of the DATA frame that is being told: what is to come, and whose it is. */
  #dataLeft = 0;
  #dataStream = 0;
  #dataFin = false;
  #stopped = false;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#stopped = true;
    this.#partial = Buffer.alloc(0);
    this.#kept = 0;
  }

  /** True in the middle of a frame. */
  get midFrame(): boolean {
    return this.#kept > 0 || this.#dataLeft > 0;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#dataLeft > 0) at = this.#continueData(chunk, at);
      else if (this.#kept > 0) at = this.#continueFrame(chunk, at);
      else at = this.#startFrame(chunk, at);
    }
  }

  #startFrame(chunk: Buffer, at: number): number {
    const left = chunk.length - at;
    if (left < FRAME_HEADER_BYTES) return this.#keep(chunk, at, FRAME_HEADER_BYTES);
    const word = chunk.readUInt32BE(at);
    const length = word >>> 8;
    const kind = word & 0x7f;
    if (length > mostPayload(kind))
      return this.#break(chunk, `a frame of kind ${kind} with ${length} octets`);
    if (kind === FrameKind.data) {
      this.#startData(length, chunk.readUInt32BE(at + 4), (word & FIN) !== 0);
      return at + FRAME_HEADER_BYTES;
    }
    const end = at + FRAME_HEADER_BYTES + length;
    if (end > chunk.length) return this.#keep(chunk, at, FRAME_HEADER_BYTES + length);
    const payload = chunk.subarray(at + FRAME_HEADER_BYTES, end);
    this.#receiver.frame(kind, chunk.readUInt32BE(at + 4), payload, (word & FIN) !== 0);
    return end;
  }

  #startData(length: number, stream: number, fin: boolean): void {
    this.#dataLeft = length;
    this.#dataStream = stream;
    this.#dataFin = fin;
    if (length === 0) this.#receiver.data(stream, EMPTY, fin);
  }

  #continueData(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#dataLeft);
    this.#dataLeft -= end - at;
    this.#receiver.data(this.#dataStream, chunk.subarray(at, end), this.#dataFin && this.#dataLeft === 0);
    return end;
  }

  /** Keeps the rest of a chunk, which is the beginning of something with `wanted` octets. */
  #keep(chunk: Buffer, at: number, wanted: number): number {
    this.#partial = Buffer.allocUnsafe(wanted);
    this.#kept = chunk.copy(this.#partial, 0, at);
    return chunk.length;
  }

  #continueFrame(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#partial, this.#kept, at);
    this.#kept += taken;
    if (this.#kept < this.#partial.length) return at + taken;
    const whole = this.#partial;
    this.#partial = EMPTY;
    this.#kept = 0;
    // A header alone is kept again, with room for its payload.
    this.#startFrame(whole, 0);
    return at + taken;
  }

  #break(chunk: Buffer, reason: string): number {
    this.stop();
    this.#receiver.broken(reason);
    return chunk.length;
  }
}

const EMPTY = Buffer.alloc(0);
