import type { BodySink, BodySource, ResetCause } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";

/** Envoy buffers as much of a request for its retries by default, and gives up retrying beyond. */
const MOST_KEPT_BYTES = 65_536;

export interface RequestBodyEvents {
  /** `bytes` are the caller's again on return. */
  passed(bytes: Buffer): void;
  /** The sender has sent everything. */
  ended(): void;
  /** The sender broke off, or what it sent is no body. */
  broken(cause: ResetCause): void;
}

/**
 * The body of a request on its way to one upstream after another: what has passed is kept, as long as it is little, so
 * that a next attempt starts from the beginning. Holds the sender back when the upstream is slow.
 */
export class RequestBody implements BodySink {
  readonly #source: BodySource;
  readonly #keep: boolean;
  readonly #events: RequestBodyEvents;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #lost = false;
  #ended = false;
  #started = false;
  #trailers: HeaderList | undefined;
  #sink: BodySink | undefined;
  #copies: readonly BodySink[] = [];

  /** `keep`: there may be another attempt. */
  constructor(source: BodySource, keep: boolean, events: RequestBodyEvents) {
    this.#source = source;
    this.#keep = keep;
    this.#events = events;
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
  sendTo(sink: BodySink): void {
    this.#sink = sink;
    for (const chunk of this.#kept) sink.data(chunk);
    if (this.#ended) sink.end(this.#trailers);
    else if (this.#started) this.#source.resume();
    else {
      this.#started = true;
      this.#source.receive(this);
    }
  }

  /** Sends all of the body there too, as it comes; for copies, which the original never waits for. */
  copyTo(sink: BodySink): void {
    this.#copies = [...this.#copies, sink];
  }

  /** Who gets the body takes more. */
  resume(): void {
    if (this.#sink !== undefined) this.#source.resume();
  }

  /** The attempt is over: the sender waits for the next. */
  detach(sink: BodySink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#source.pause();
  }

  data(bytes: Buffer): boolean {
    this.#events.passed(bytes);
    this.#remember(bytes);
    for (const copy of this.#copies) copy.data(bytes);
    return this.#sink?.data(bytes) ?? false;
  }

  end(trailers: HeaderList | undefined): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#events.ended();
    this.#sink?.end(trailers);
    for (const copy of this.#copies) copy.end(undefined);
  }

  reset(cause: ResetCause): void {
    for (const copy of this.#copies) copy.reset(cause);
    this.#events.broken(cause);
  }

  #remember(bytes: Buffer): void {
    if (this.#lost) return;
    this.#keptBytes += bytes.length;
    if (this.#keep && this.#keptBytes <= MOST_KEPT_BYTES) this.#kept.push(Buffer.from(bytes));
    else {
      this.#lost = true;
      this.#kept = [];
    }
  }
}
