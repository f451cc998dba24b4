import type { HeaderList } from "../../tables/header-list.ts";
import type { BodySink, ResetCause } from "../stream.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { ReceiveWindow } from "./receive-window.ts";

/** Why a frame cannot be part of the body. */
export interface BodyFault {
  readonly code: ErrorCode;
  readonly reason: string;
}

/**
 * The receiving half of a stream. While nobody takes the body, what still arrives is kept, which the stream's window
 * bounds, and the peer gets no room for more.
 */
export class Incoming {
  readonly #id: number;
  readonly #connection: Connection;
  readonly #window: ReceiveWindow;
  #sink: BodySink | undefined;
  #held: ByteQueue | undefined;
  #heldBytes = 0;
  #paused = false;
  #delivering = false;
  /** Bytes still to come of an announced length; -1 without one. */
  #announced = -1;
  #trailers: HeaderList | undefined;
  /** END_STREAM came, or the stream is over: nothing more is expected. */
  #ended = false;
  #cause: ResetCause | undefined;
  #told = false;

  constructor(id: number, connection: Connection) {
    this.#id = id;
    this.#connection = connection;
    this.#window = new ReceiveWindow(connection.options.streamWindow);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Somebody takes the body now. */
  get wanted(): boolean {
    return this.#sink !== undefined && !this.#paused;
  }

  /** So many bytes make up the body. */
  expect(bytes: number): void {
    this.#announced = bytes;
  }

  receive(sink: BodySink): void {
    this.#sink = sink;
    this.#deliver();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  /** A DATA frame of `padded` bytes, of which `bytes[start..end)` is content. */
  data(bytes: Buffer, start: number, end: number, padded: number): BodyFault | undefined {
    if (!this.#window.take(padded)) {
      return { code: ErrorCode.flowControlError, reason: "more DATA than the window of the stream" };
    }
    const size = end - start;
    if (padded > size) this.#credit(padded - size);
    if (this.#announced >= 0 && (this.#announced -= size) < 0) {
      this.#connection.consumed(size);
      return { code: ErrorCode.protocolError, reason: "more DATA than content-length" };
    }
    if (size === 0) return undefined;
    const chunk = bytes.subarray(start, end);
    if (this.#sink !== undefined && !this.#paused && this.#heldBytes === 0) {
      this.#hand(this.#sink, chunk);
    } else {
      this.#heldBytes += size;
      this.#held ??= new ByteQueue();
      this.#held.push(chunk);
    }
    return undefined;
  }

  end(trailers: HeaderList | undefined): BodyFault | undefined {
    if (this.#announced > 0)
      return { code: ErrorCode.protocolError, reason: "less DATA than content-length" };
    this.#ended = true;
    this.#trailers = trailers;
    this.#deliver();
    return undefined;
  }

  /** What is held is dropped and the cause delivered, unless the end has been. */
  abort(cause: ResetCause): void {
    this.#ended = true;
    this.#drop();
    if (this.#told) return;
    this.#cause = cause;
    if (this.#sink !== undefined) this.#tellCause(this.#sink, cause);
  }

  /** The receiver wants no more, and hears no more. */
  abandon(): void {
    this.#ended = true;
    this.#told = true;
    this.#drop();
  }

  #drop(): void {
    const bytes = this.#heldBytes;
    this.#held = undefined;
    this.#heldBytes = 0;
    if (bytes > 0) this.#connection.consumed(bytes);
  }

  #deliver(): void {
    if (this.#delivering || this.#sink === undefined) return;
    if (this.#cause !== undefined) {
      if (!this.#told) this.#tellCause(this.#sink, this.#cause);
      return;
    }
    this.#delivering = true;
    while (this.#held !== undefined && this.#heldBytes > 0 && !this.#paused) {
      const chunk = this.#held.front();
      this.#held.drop(chunk.length);
      this.#heldBytes -= chunk.length;
      this.#hand(this.#sink, chunk);
    }
    this.#delivering = false;
    if (this.#paused) return;
    if (this.#ended && !this.#told) {
      this.#told = true;
      this.#sink.end(this.#trailers);
    } else {
      this.#credit(0);
    }
  }

  #tellCause(sink: BodySink, cause: ResetCause): void {
    this.#told = true;
    sink.reset(cause);
  }

  #hand(sink: BodySink, chunk: Buffer): void {
    if (!sink.data(chunk)) this.#paused = true;
    this.#connection.consumed(chunk.length);
    this.#credit(chunk.length);
  }

  /** The peer may send as much again as was taken, unless the body is over or held back. */
  #credit(bytes: number): void {
    this.#window.owe(bytes);
    if (this.#ended || this.#paused) return;
    const increment = this.#window.due();
    if (increment > 0) this.#connection.writer.windowUpdate(this.#id, increment);
  }
}
