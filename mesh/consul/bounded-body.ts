import type { IncomingMessage } from "node:http";
import { Writable } from "node:stream";

/**
 * Takes the body of one HTTP answer, up to a size and within a time from its first header on. When it cannot (too
 * long, too slow, cut off), `problem` says why and `cancel` is called, which must end the request.
 */
export class BoundedBody extends Writable {
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  readonly #cancel: () => void;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;

  constructor(maxBytes: number, timeoutMs: number, cancel: () => void) {
    super();
    this.#maxBytes = maxBytes;
    this.#cancel = cancel;
    this.once("pipe", (source: IncomingMessage) => {
      this.#timer = setTimeout(() => this.#fail(`its answer did not end in ${timeoutMs} ms`), timeoutMs);
      source.once("close", () => {
        clearTimeout(this.#timer);
        if (!source.complete) this.#fail("its answer was cut off");
      });
    });
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) this.#fail(`its answer is longer than ${this.#maxBytes} bytes`);
    else this.#chunks.push(chunk);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #fail(problem: string): void {
    if (this.#problem !== undefined) return;
    this.#problem = problem;
    this.#chunks.length = 0;
    this.#cancel();
  }
}
