import type { OnReadOpts } from "node:net";

/** Read into by all connections, one after the other: what is in it is worked off before the next read. */
const BUFFER = Buffer.allocUnsafeSlow(65_536);

/**
 * Reads of a socket without memory of their own: `options` go to `net.connect` or `tls.connect`. Until somebody reads,
 * what comes is kept, and the socket is held back.
 */
export class StaticReader {
  readonly options: OnReadOpts = {
    buffer: BUFFER,
    callback: (count) => this.#take(count),
  };
  #read: ((chunk: Buffer) => void) | undefined;
  #early: Buffer | undefined;

  /** What came before is given first, at once. The socket is the caller's to resume. */
  readTo(read: (chunk: Buffer) => void): void {
    this.#read = read;
    const early = this.#early;
    this.#early = undefined;
    if (early) read(early);
  }

  /** False holds the socket back. */
  #take(count: number): boolean {
    const chunk = BUFFER.subarray(0, count);
    if (this.#read) {
      this.#read(chunk);
      return true;
    }
    this.#early = Buffer.concat(this.#early ? [this.#early, chunk] : [chunk]);
    return false;
  }
}
