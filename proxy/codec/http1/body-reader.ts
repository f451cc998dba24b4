import type { BodyLength } from "../stream.ts";
import { ChunkedReader } from "./chunked.ts";

/** Takes the body of a message out of what a connection brings, however the end of it is told. */
export class BodyReader {
  #chunked: ChunkedReader | undefined;
  #left = 0;
  /** Where in the last input it stopped: at its end, after some data, or after the body's end. */
  next = 0;

  /** `untilClose`: the body ends with the connection. */
  constructor(body: BodyLength, untilClose = false) {
    if (body.kind === "sized") this.#left = body.bytes;
    else if (untilClose) this.#left = Number.POSITIVE_INFINITY;
    else if (body.kind === "streamed") this.#chunked = new ChunkedReader();
  }

  get over(): boolean {
    return this.#chunked === undefined ? this.#left === 0 : this.#chunked.over;
  }

  /** It ends with the connection, and with nothing else. */
  get untilClose(): boolean {
    return this.#left === Number.POSITIVE_INFINITY;
  }

  /** Undefined: as far as it was read, the body is one. */
  get problem(): string | undefined {
    return this.#chunked?.problem;
  }

  /** Reads on to the next piece of data, which is returned; undefined at the end of input or body, or for a problem. */
  read(input: Buffer, from: number): Buffer | undefined {
    if (this.#chunked) {
      const piece = this.#chunked.read(input, from);
      this.next = this.#chunked.next;
      return piece;
    }
    const end = Math.min(input.length, from + this.#left);
    this.#left -= end - from;
    this.next = end;
    return end === from ? undefined : from === 0 && end === input.length ? input : input.subarray(from, end);
  }
}
