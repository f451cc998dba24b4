import type { HeaderList } from "../../tables/header-list.ts";
import { FULL_BYTES } from "../../transport/wire.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { FrameKind, MOST } from "./frames.ts";
import { encodeHeaders } from "./heads.ts";

/** What this end sends on one stream: as much as the other end has given credit for; the rest waits here. */
export class SendHalf {
  readonly #writer: FrameWriter;
  readonly #stream: number;
  #credit: number;
  #waiting: Buffer[] = [];
  #end: { readonly trailers: HeaderList | undefined } | undefined;
  #done = false;
  /** The source was told to hold on. */
  #held = false;

  constructor(writer: FrameWriter, stream: number, credit: number) {
    this.#writer = writer;
    this.#stream = stream;
    this.#credit = credit;
  }

  /** True when everything has been written, its end included, or nothing will be. */
  get done(): boolean {
    return this.#done;
  }

  /** The head said that nothing follows, or the stream is over. */
  finish(): void {
    this.#done = true;
    this.#waiting = [];
  }

  /** False: hold on until `pump` says true. */
  data(bytes: Buffer): boolean {
    if (this.#done || this.#end) return true;
    const now = this.#waiting.length > 0 || this.#congested ? 0 : Math.min(this.#credit, bytes.length);
    if (now > 0) {
      this.#credit -= now;
      this.#writer.data(this.#stream, now < bytes.length ? bytes.subarray(0, now) : bytes, false);
    }
    if (now < bytes.length) this.#waiting.push(Buffer.from(bytes.subarray(now)));
    this.#held = this.#waiting.length > 0 || this.#credit === 0 || this.#congested;
    return !this.#held;
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#done || this.#end) return;
    this.#end = { trailers };
    if (this.#waiting.length === 0) this.#finishNow(trailers);
  }

  /** False: the other end gives more than there can be. */
  grant(bytes: number): boolean {
    this.#credit += bytes;
    return this.#credit <= MOST;
  }

  /** Sends what can be sent. True when a source that was told to hold on may go on. */
  pump(): boolean {
    while (this.#credit > 0 && !this.#congested) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      const now = Math.min(this.#credit, next.length);
      this.#credit -= now;
      if (now < next.length) this.#waiting.unshift(next.subarray(now));
      this.#writer.data(this.#stream, next.subarray(0, now), false);
    }
    if (this.#waiting.length > 0) return false;
    if (this.#end && !this.#done) this.#finishNow(this.#end.trailers);
    const free = this.#held && !this.#done && this.#credit > 0 && !this.#congested;
    if (free) this.#held = false;
    return free;
  }

  /** With so much waiting for the kernel streams hold back, whatever credit they have. */
  get #congested(): boolean {
    return this.#writer.output.pending >= FULL_BYTES;
  }

  #finishNow(trailers: HeaderList | undefined): void {
    this.#done = true;
    if (trailers === undefined) this.#writer.data(this.#stream, NOTHING, true);
    else this.#writer.head(FrameKind.trailers, this.#stream, encodeHeaders(trailers), true);
  }
}

const NOTHING = Buffer.alloc(0);
