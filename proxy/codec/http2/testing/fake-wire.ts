import { FULL_BYTES, type Input, type Output, type Wire } from "../../../transport/wire.ts";

/** A connection whose other end is the test: it feeds bytes, and takes what was written. */
export class FakeWire implements Wire, Output {
  #written: Buffer[] = [];
  #taken = 0;
  #full = false;
  input: Input | undefined;
  ended = false;
  destroyed = false;

  get output(): Output {
    return this;
  }

  get pending(): number {
    return this.#written.reduce((sum, { length }) => sum + length, 0);
  }

  /** Bytes written in all. */
  get total(): number {
    return this.#taken + this.pending;
  }

  /** What was written since the last time: the kernel has taken it. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#written);
    this.#written = [];
    this.#taken += bytes.length;
    if (this.#full) {
      this.#full = false;
      this.input?.drained();
    }
    return bytes;
  }

  feed(bytes: Uint8Array): void {
    if (!this.destroyed) this.input?.bytes(Buffer.from(bytes));
  }

  listen(input: Input): void {
    this.input = input;
  }

  pause(): void {}
  resume(): void {}

  latin1(text: string): void {
    this.bytes(Buffer.from(text, "latin1"));
  }

  bytes(chunk: Uint8Array): void {
    if (this.ended || this.destroyed || chunk.length === 0) return;
    this.#written.push(Buffer.from(chunk));
    if (this.pending >= FULL_BYTES) this.#full = true;
  }

  reserve(count: number): Buffer {
    const room = Buffer.alloc(count);
    this.#written.push(room);
    return room;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
    this.#written = [];
  }
}
