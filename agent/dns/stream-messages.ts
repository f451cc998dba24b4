/** A message as it goes over TCP: its length before it (RFC 1035 §4.2.2). */
export function withLength(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 2);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, 2);
  return framed;
}

/** Messages out of what comes over TCP, in whatever pieces. Holds one message at most. */
export class MessageReader {
  readonly #take: (message: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(take: (message: Buffer) => void) {
    this.#take = take;
  }

  push(bytes: Buffer): void {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (rest.length >= 2) {
      const end = rest.readUInt16BE(0) + 2;
      if (rest.length < end) break;
      this.#take(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
    this.#held = rest;
  }
}
