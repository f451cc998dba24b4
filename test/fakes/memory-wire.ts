import type { Input, Output, Wire } from "../../proxy/transport/wire.ts";

/** A connection without a socket: what is written is kept, and what comes is told by the test. */
export class MemoryWire implements Wire, Output {
  #input: Input | undefined;
  #chunks: Buffer[] = [];
  /** Bytes that the kernel is said not to have taken. */
  pending = 0;
  isPaused = false;
  isEnded = false;
  isDestroyed = false;

  get output(): Output {
    return this;
  }

  /** Everything that was written since it was last asked for. */
  take(): string {
    const text = Buffer.concat(this.#chunks).toString("latin1");
    this.#chunks = [];
    return text;
  }

  listen(input: Input): void {
    this.#input = input;
  }

  /** In memory of their own, that is overwritten after: who keeps what is not theirs is found out. */
  receive(text: string): void {
    const chunk = Buffer.from(text, "latin1");
    this.#input?.bytes(chunk);
    chunk.fill(0x21);
  }

  /** The other end sends no more. */
  end(): void {
    this.isEnded = true;
  }

  receiveEnd(): void {
    this.#input?.ended();
  }

  drain(): void {
    this.pending = 0;
    this.#input?.drained();
  }

  close(reason = "gone"): void {
    this.#input?.closed(reason);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  latin1(text: string): void {
    this.#chunks.push(Buffer.from(text, "latin1"));
  }

  bytes(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
  }

  reserve(count: number): Buffer {
    const room = Buffer.alloc(count);
    this.#chunks.push(room);
    return room;
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}
