import { giveSegment, LARGE_BYTES, takeSegment } from "./segments.ts";

/** A piece of output: `segment` up to `to`. */
export interface Piece {
  segment: Buffer;
  to: number;
}

/** As much as a read brings goes out in one write. */
const LARGEST_PIECE = LARGE_BYTES;

/** Bytes that wait for the kernel, in borrowed segments. Holds none while it is empty. */
export class OutBuffer {
  readonly #pieces: Piece[] = [];
  #last: Piece | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  latin1(text: string): void {
    if (text.length > LARGEST_PIECE) {
      for (let at = 0; at < text.length; at += LARGEST_PIECE) this.latin1(text.slice(at, at + LARGEST_PIECE));
      return;
    }
    const piece = this.#room(text.length);
    piece.segment.write(text, piece.to, text.length, "latin1");
    piece.to += text.length;
    this.#length += text.length;
  }

  bytes(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      const piece = this.#room(Math.min(left, LARGEST_PIECE));
      const count = Math.min(left, piece.segment.length - piece.to);
      piece.segment.set(
        at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count),
        piece.to,
      );
      piece.to += count;
      at += count;
      this.#length += count;
    }
  }

  /** Counts as written; up to 64 KiB. */
  reserve(count: number): Buffer {
    const piece = this.#room(count);
    const view = piece.segment.subarray(piece.to, piece.to + count);
    piece.to += count;
    this.#length += count;
    return view;
  }

  /** The first piece, which is then the caller's. */
  take(): Piece | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    if (piece === this.#last) this.#last = undefined;
    this.#length -= piece.to;
    return piece;
  }

  clear(): void {
    for (let piece = this.take(); piece !== undefined; piece = this.take()) giveSegment(piece.segment);
  }

  #room(count: number): Piece {
    const last = this.#last;
    if (last !== undefined && last.segment.length - last.to >= count) return last;
    if (last !== undefined && last.to + count <= LARGEST_PIECE && grow(last)) return last;
    const piece: Piece = { segment: takeSegment(count), to: 0 };
    this.#pieces.push(piece);
    this.#last = piece;
    return piece;
  }
}

/** To a large segment: a copy costs less than a write, and under TLS a record, of its own. */
function grow(piece: Piece): boolean {
  if (piece.segment.length === LARGE_BYTES) return false;
  const small = piece.segment;
  piece.segment = takeSegment(LARGE_BYTES);
  piece.segment.set(small.subarray(0, piece.to));
  giveSegment(small);
  return true;
}
