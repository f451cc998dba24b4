import { ConnectionError, ErrorCode } from "./error-code.ts";
import { Flag, FRAME_HEADER, FrameType, MIN_MAX_FRAME_SIZE } from "./frame.ts";

export interface FrameHandler {
  /**
   * A frame; its payload is `bytes[start..end)`, which is the caller's again on return. DATA without padding comes in
   * the pieces in which it arrived, each as a frame of its own and END_STREAM with the last. False: read no further.
   */
  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): boolean;
}

/** Cuts what arrives into frames (RFC 9113 §4.1). Holds at most one frame that is not complete. */
export class FrameReader {
  readonly #handler: FrameHandler;
  #held: Buffer | undefined;
  #heldLength = 0;
  /** Of a DATA frame that is passed on in pieces. */
  #dataLeft = 0;
  #dataFlags = 0;
  #dataId = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Throws ConnectionError for a frame that is too large. */
  feed(chunk: Buffer, from: number): void {
    let at = from;
    while (at < chunk.length) {
      const next =
        this.#held !== undefined
          ? this.#complete(this.#held, chunk, at)
          : this.#dataLeft > 0
            ? this.#piece(chunk, at)
            : this.#frame(chunk, at);
      if (next < 0) return;
      at = next;
    }
  }

  /** Reads one frame in place; holds it when it is not all there. */
  #frame(chunk: Buffer, at: number): number {
    const there = chunk.length - at;
    if (there < FRAME_HEADER) return this.#hold(chunk, at, FRAME_HEADER);
    const length = readLength(chunk, at);
    const type = chunk[at + 3] ?? 0;
    const flags = chunk[at + 4] ?? 0;
    const id = readId(chunk, at + 5);
    const start = at + FRAME_HEADER;
    const end = start + length;
    if (end > chunk.length) {
      if (type !== FrameType.data || (flags & Flag.padded) !== 0) {
        return this.#hold(chunk, at, FRAME_HEADER + length);
      }
      this.#dataLeft = length;
      this.#dataFlags = flags;
      this.#dataId = id;
      return start;
    }
    return this.#handler.frame(type, flags, id, chunk, start, end) ? end : -1;
  }

  #piece(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#dataLeft, chunk.length);
    this.#dataLeft -= end - at;
    const flags = this.#dataLeft > 0 ? this.#dataFlags & ~Flag.endStream : this.#dataFlags;
    return this.#handler.frame(FrameType.data, flags, this.#dataId, chunk, at, end) ? end : -1;
  }

  #hold(chunk: Buffer, at: number, size: number): number {
    this.#held = Buffer.allocUnsafe(size);
    this.#heldLength = chunk.copy(this.#held, 0, at);
    return chunk.length;
  }

  /** Fills up the held frame: first its header, then, at its true size, its payload. */
  #complete(held: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(held, this.#heldLength, at);
    this.#heldLength += taken;
    if (this.#heldLength < held.length) return at + taken;
    const length = readLength(held, 0);
    this.#held = undefined;
    if (held.length === FRAME_HEADER && length > 0) {
      const rest = this.#frame(held, 0);
      return rest < 0 ? -1 : at + taken;
    }
    const flags = held[4] ?? 0;
    const more = this.#handler.frame(held[3] ?? 0, flags, readId(held, 5), held, FRAME_HEADER, held.length);
    return more ? at + taken : -1;
  }
}

function readLength(bytes: Buffer, at: number): number {
  const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  if (length > MIN_MAX_FRAME_SIZE) throw new ConnectionError(ErrorCode.frameSizeError, "frame too large");
  return length;
}

/** Without the reserved bit. */
export function readId(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) & 0x7f) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}
