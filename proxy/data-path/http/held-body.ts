import type { BodySink, BodySource, ResetCause } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";

/** The beginning of a body, or all of it. */
export interface Beginning {
  readonly bytes: Buffer;
  readonly isWhole: boolean;
}

/**
 * Holds the beginning of a request's body for somebody who wants to see it before the request goes on; who takes the body
 * then gets it from its first byte. The sender is held back meanwhile.
 */
export class HeldBody implements BodySource, BodySink {
  readonly #source: BodySource;
  readonly #mostBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #held = Promise.withResolvers<Beginning | undefined>();
  #bytes = 0;
  #end: { readonly trailers: HeaderList | undefined } | undefined;
  #broken: ResetCause | undefined;
  #sink: BodySink | undefined;

  constructor(source: BodySource, mostBytes: number) {
    this.#source = source;
    this.#mostBytes = mostBytes;
  }

  /** Everything, or when there is more the most that is wanted. Undefined: the sender has gone. */
  async beginning(): Promise<Beginning | undefined> {
    this.#source.receive(this);
    return await this.#held.promise;
  }

  receive(sink: BodySink): void {
    this.#sink = sink;
    for (const chunk of this.#chunks.splice(0)) sink.data(chunk);
    if (this.#broken) sink.reset(this.#broken);
    else if (this.#end) sink.end(this.#end.trailers);
    else this.#source.resume();
  }

  pause(): void {
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
  }

  data(bytes: Buffer): boolean {
    if (this.#sink) return this.#sink.data(bytes);
    this.#chunks.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes <= this.#mostBytes) return true;
    this.#settle();
    return false;
  }

  end(trailers: HeaderList | undefined): void {
    this.#end = { trailers };
    if (this.#sink) this.#sink.end(trailers);
    else this.#settle();
  }

  reset(cause: ResetCause): void {
    this.#broken = cause;
    if (this.#sink) this.#sink.reset(cause);
    else this.#held.resolve(undefined);
  }

  #settle(): void {
    const bytes = Buffer.concat(this.#chunks).subarray(0, this.#mostBytes);
    this.#held.resolve({ bytes, isWhole: this.#bytes <= this.#mostBytes });
  }
}
