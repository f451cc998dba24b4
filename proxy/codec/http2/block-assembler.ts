import { ConnectionError, ErrorCode } from "./error-code.ts";
import type { Floods } from "./floods.ts";

/** A field block that came in several frames (RFC 9113 §4.3): HEADERS and its CONTINUATIONs. */
export class BlockAssembler {
  readonly id: number;
  readonly endStream: boolean;
  readonly #most: number;
  readonly #parts: Buffer[] = [];
  #length = 0;

  /** `most`: bytes of an encoded block, over which the connection ends (CVE-2024-27983 and its kin). */
  constructor(id: number, endStream: boolean, most: number) {
    this.id = id;
    this.endStream = endStream;
    this.#most = most;
  }

  add(bytes: Buffer, start: number, end: number, floods: Floods): void {
    if (start === end) floods.empty("CONTINUATION");
    this.#length += end - start;
    // Small fragments count as large ones: each is a piece of memory of its own.
    if (this.#length > this.#most || this.#parts.length * 1024 > this.#most) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, "header block too large");
    }
    if (end > start) this.#parts.push(Buffer.from(bytes.subarray(start, end)));
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }
}
