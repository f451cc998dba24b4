import type { BodyLength, BodySink } from "../../proxy/codec/stream.ts";
import { HeaderList } from "../../proxy/tables/header-list.ts";
import type { Random } from "../../test/harness/random.ts";

const PIECES = [1, 10, 1000, 20_000].map((size) => Buffer.alloc(size, "x"));

/** Sends a body piece by piece, exactly as it was announced. */
export class SentBody {
  readonly #random: Random;
  readonly #to: BodySink;
  readonly #isSized: boolean;
  #left: number;
  bytes = 0;
  over: boolean;
  /** The sender is to wait for `writable`. */
  held = false;

  constructor(random: Random, to: BodySink, length: BodyLength) {
    this.#random = random;
    this.#to = to;
    this.#isSized = length.kind === "sized";
    this.#left = length.kind === "sized" ? length.bytes : Number.MAX_SAFE_INTEGER;
    this.over = length.kind === "none";
  }

  /** One piece, or the end. */
  step(): void {
    if (this.over || this.held) return;
    const isLast = this.#left === 0 || (!this.#isSized && this.#random.chance(0.3));
    if (isLast) {
      this.over = true;
      const trailers =
        !this.#isSized && this.#random.chance(0.3) ? HeaderList.fromRaw(["grpc-status", "0"]) : undefined;
      this.#to.end(trailers);
      return;
    }
    const piece = this.#random.pick(PIECES).subarray(0, this.#left);
    this.#left -= piece.length;
    this.bytes += piece.length;
    this.held = !this.#to.data(piece);
  }
}
