import type { HeaderList } from "../../tables/header-list.ts";
import type { BodyLength, BodySink, ResetCause } from "../stream.ts";
import type { FrameWriter } from "./frame-writer.ts";

/** Octets by which the windows of all streams of a connection may have grown, together. */
export interface WindowBudget {
  left: number;
}

/** A stream that is taken as fast as it comes may have so much on its way. */
const MOST_WINDOW_BYTES = 1_048_576;

/**
 * What the other end sends on one stream. Credit follows what was taken, so at most one window is kept here; the window
 * of a stream that is never held up grows, for each half of it costs a turn to and fro.
 */
export class ReceiveHalf {
  readonly #writer: FrameWriter;
  readonly #stream: number;
  readonly #budget: WindowBudget;
  #window: number;
  /** By how much it has grown. */
  #grown = 0;
  #heldUp = false;
  /** What the other end may still send. */
  #credit: number;
  /** Of the body that was announced: what has not come yet. */
  #left = Number.POSITIVE_INFINITY;
  /** Taken, and not given back as credit yet. */
  #owed = 0;
  #sink: BodySink | undefined;
  #paused = false;
  #kept: Buffer[] = [];
  #end: { readonly trailers: HeaderList | undefined } | undefined;
  #done = false;

  constructor(writer: FrameWriter, stream: number, window: number, budget: WindowBudget) {
    this.#budget = budget;
    this.#writer = writer;
    this.#stream = stream;
    this.#window = window;
    this.#credit = window;
  }

  /** True when the other end has sent everything, whether or not it has been taken. */
  get ended(): boolean {
    return this.#end !== undefined || this.#done;
  }

  /** True when everything has been taken, or nothing will be. */
  get done(): boolean {
    return this.#done;
  }

  /** Exactly so much has to come. */
  expect(body: BodyLength): void {
    if (body.kind === "sized") this.#left = body.bytes;
  }

  receive(sink: BodySink): void {
    this.#sink = sink;
    this.#flush();
  }

  pause(): void {
    this.#paused = true;
    this.#heldUp = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  /** What is wrong with it, if anything. */
  take(bytes: Buffer): string | undefined {
    this.#credit -= bytes.length;
    this.#left -= bytes.length;
    if (this.#credit < 0) return "more than there was credit for";
    if (this.#end) return "more after the end";
    if (this.#left < 0) return "more than was announced";
    if (this.#done) return undefined;
    if (this.#sink === undefined || this.#paused || this.#kept.length > 0)
      this.#kept.push(Buffer.from(bytes));
    else this.#hand(this.#sink, bytes);
    return undefined;
  }

  /** What is wrong with it, if anything. */
  finish(trailers: HeaderList | undefined): string | undefined {
    if (this.#end) return "a second end";
    if (this.#left > 0 && this.#left !== Number.POSITIVE_INFINITY) return "less than was announced";
    this.#end = { trailers };
    this.#flush();
    return undefined;
  }

  /** The stream is over; whoever receives hears it unless all had come, or it is the one who gave it up. */
  abandon(cause: ResetCause | undefined): void {
    if (this.#done) return;
    this.#finish();
    this.#kept = [];
    if (cause) this.#sink?.reset(cause);
  }

  #flush(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused && !this.#done) {
      const bytes = this.#kept.shift();
      if (bytes === undefined) break;
      this.#hand(sink, bytes);
    }
    if (this.#done || this.#kept.length > 0 || this.#paused) return;
    if (this.#end) {
      this.#finish();
      sink.end(this.#end.trailers);
    } else this.#giveBack();
  }

  #hand(sink: BodySink, bytes: Buffer): void {
    this.#owed += bytes.length;
    if (!sink.data(bytes)) this.pause();
    else this.#giveBack();
  }

  /** Half a window at a time, so that credit does not cost a frame for each of data. */
  #giveBack(): void {
    if (this.#end || this.#done || this.#owed < this.#window / 2) return;
    const credit = this.#owed + this.#growth();
    this.#writer.credit(this.#stream, credit);
    this.#credit += credit;
    this.#owed = 0;
    this.#heldUp = false;
  }

  /** As much again, where nothing speaks against it. */
  #growth(): number {
    const more = this.#window;
    if (this.#heldUp || 2 * more > MOST_WINDOW_BYTES || more > this.#budget.left) return 0;
    this.#budget.left -= more;
    this.#grown += more;
    this.#window += more;
    return more;
  }

  #finish(): void {
    this.#done = true;
    this.#budget.left += this.#grown;
    this.#grown = 0;
  }
}
