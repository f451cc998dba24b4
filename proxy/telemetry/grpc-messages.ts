const PREFIX_BYTES = 5;

/** Counts the messages of one direction of a gRPC stream by their length prefixes (gRPC over HTTP/2). */
export class GrpcMessages {
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixed = 0;
  /** Bytes of the current message that have not come. */
  #left = 0;
  count = 0;

  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      this.#prefix[this.#prefixed++] = bytes[at++] ?? 0;
      if (this.#prefixed < PREFIX_BYTES) continue;
      this.#prefixed = 0;
      this.#left = this.#prefix.readUInt32BE(1);
      this.count++;
    }
  }
}
