import type { ByteStream } from "../../codec/mux/tunnel-server-stream.ts";
import type { BodySink, ResetCause, ServerStreamObserver } from "../../codec/stream.ts";
import { FULL_BYTES, type Input, type Wire } from "../../transport/wire.ts";

/** One side of a TCP connection that is passed on: a socket's wire, or a stream of a tunnel. */
export type ByteEnd = ByteStream;

/** A connection by itself. Until somebody receives, it is held back. */
export class WireEnd implements ByteEnd, Input {
  readonly #wire: Wire;
  readonly #close: () => void;
  #sink: BodySink | undefined;
  #observer: ServerStreamObserver | undefined;
  #early: Buffer | undefined;
  #received = false;
  #sent = false;
  #isClosed = false;

  /** `close` ends the connection without telling the other end that something broke. */
  constructor(wire: Wire, close: () => void) {
    this.#wire = wire;
    this.#close = close;
    wire.listen(this);
    if (this.#sink === undefined) wire.pause();
  }

  observe(observer: ServerStreamObserver): void {
    this.#observer = observer;
    if (this.#isClosed) observer.closed(this.#isComplete);
  }

  receive(sink: BodySink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = undefined;
    const goesOn = early === undefined || sink.data(early);
    if (this.#received) sink.end(undefined);
    else if (this.#isClosed) sink.reset(GONE);
    else if (goesOn) this.#wire.resume();
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    if (this.#sink) this.#wire.resume();
  }

  data(bytes: Buffer): boolean {
    const { output } = this.#wire;
    output.bytes(bytes);
    return output.pending < FULL_BYTES;
  }

  end(): void {
    this.#sent = true;
    this.#wire.output.end();
  }

  /** What did not begin, or was ended on purpose, is closed; what broke is reset. */
  reset({ kind }: ResetCause): void {
    if (kind === "refused" || kind === "limit") this.#close();
    else this.#wire.output.destroy();
  }

  // Input

  bytes(chunk: Buffer): void {
    if (this.#sink === undefined) this.#early = Buffer.concat([this.#early ?? EMPTY, chunk]);
    else if (!this.#sink.data(chunk)) this.#wire.pause();
  }

  ended(): void {
    this.#received = true;
    this.#sink?.end(undefined);
  }

  drained(): void {
    this.#observer?.writable();
  }

  closed(reason: string): void {
    this.#isClosed = true;
    if (!this.#received) this.#sink?.reset({ kind: "disconnected", reason });
    this.#observer?.closed(this.#isComplete);
  }

  get #isComplete(): boolean {
    return this.#received && this.#sent;
  }
}

const EMPTY = Buffer.alloc(0);
const GONE: ResetCause = { kind: "disconnected", reason: "the connection was closed" };
