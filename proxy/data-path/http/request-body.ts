import type { Readable, Writable } from "node:stream";

/** Envoy buffers as much of a request for its retries by default, and gives up retrying beyond. */
const MOST_KEPT_BYTES = 65_536;
const MOST_BEHIND_BYTES = 1_048_576;

/**
 * The body of a request on its way to one upstream after another: what has passed is kept, as long as it is little, so
 * that a next attempt starts from the beginning. Holds the sender back when the upstream is slow.
 */
export class RequestBody {
  readonly #source: Readable;
  readonly #keep: boolean;
  readonly #onBytes: (count: number) => void;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #lost = false;
  #ended = false;
  #sink: Writable | undefined;
  #copies: readonly Writable[] = [];

  constructor(
    source: Readable,
    options: { readonly keep: boolean; readonly onBytes: (count: number) => void },
  ) {
    this.#source = source;
    this.#keep = options.keep;
    this.#onBytes = options.onBytes;
    source.pause();
    source.on("data", (chunk: Buffer) => this.#take(chunk));
    source.on("end", () => this.#end());
    // Adding a data listener does not start a stream that was paused before.
  }

  /** True when all that was sent so far can be sent again. */
  get replayable(): boolean {
    return !this.#lost;
  }

  /** True when the sender has sent everything. */
  get complete(): boolean {
    return this.#ended;
  }

  /** Sends the body from its beginning; only while `replayable`. */
  sendTo(sink: Writable): void {
    this.#sink = sink;
    for (const chunk of this.#kept) sink.write(chunk);
    if (this.#ended) {
      sink.end();
      return;
    }
    sink.on("drain", () => {
      if (this.#sink === sink) this.#source.resume();
    });
    this.#source.resume();
  }

  /** Sends all of the body there too, as it comes; for copies, which the original never waits for. */
  copyTo(sink: Writable): void {
    this.#copies = [...this.#copies, sink];
  }

  /** The attempt is over: the sender waits for the next. */
  detach(sink: Writable): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#source.pause();
  }

  /** Nobody wants the rest: it is read and dropped, so that the connection can be used again. */
  discard(): void {
    this.#sink = undefined;
    this.#lost = true;
    this.#kept = [];
    this.#source.resume();
  }

  #take(chunk: Buffer): void {
    this.#onBytes(chunk.length);
    this.#remember(chunk);
    for (const copy of this.#copies) writeCopy(copy, chunk);
    if (this.#sink?.write(chunk) === false) this.#source.pause();
  }

  #remember(chunk: Buffer): void {
    if (this.#lost) return;
    this.#keptBytes += chunk.length;
    if (this.#keep && this.#keptBytes <= MOST_KEPT_BYTES) this.#kept.push(chunk);
    else {
      this.#lost = true;
      this.#kept = [];
    }
  }

  #end(): void {
    this.#ended = true;
    this.#sink?.end();
    for (const copy of this.#copies) copy.end();
  }
}

/** A copy that falls too far behind is dropped. */
function writeCopy(copy: Writable, chunk: Buffer): void {
  if (copy.destroyed) return;
  if (copy.writableLength > MOST_BEHIND_BYTES) copy.destroy();
  else copy.write(chunk);
}
