import { FULL_BYTES, type Output } from "../../transport/wire.ts";
import type { BodyLength } from "../stream.ts";

/** Frames a body as its head has announced it. */
export class BodyWriter {
  readonly #output: Output;
  readonly #chunked: boolean;
  #left: number;

  /** `dropped`: there is a body, and it is not sent (answers to HEAD). */
  constructor(output: Output, body: BodyLength, dropped = false) {
    this.#output = output;
    this.#chunked = body.kind === "streamed" && !dropped;
    this.#left = body.kind === "sized" && !dropped ? body.bytes : dropped ? Number.NEGATIVE_INFINITY : 0;
  }

  /** True while more can be sent. A sized body's sender has seen to its size. */
  data(chunk: Buffer): boolean {
    const output = this.#output;
    if (this.#chunked) {
      // An empty chunk would be the end.
      if (chunk.length > 0) {
        output.latin1(`${chunk.length.toString(16)}\r\n`);
        output.bytes(chunk);
        output.latin1("\r\n");
      }
    } else if (this.#left > 0) {
      this.#left -= chunk.length;
      output.bytes(this.#left < 0 ? chunk.subarray(0, chunk.length + this.#left) : chunk);
    }
    return output.pending < FULL_BYTES;
  }

  /** False: the message is not what its head said, so the connection must not look as if it were. */
  end(): boolean {
    if (this.#chunked) this.#output.latin1("0\r\n\r\n");
    return this.#left <= 0 && (this.#left === 0 || this.#left === Number.NEGATIVE_INFINITY);
  }
}
