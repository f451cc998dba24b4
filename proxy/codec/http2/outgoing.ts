import type { HeaderList } from "../../tables/header-list.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { Connection } from "./connection.ts";
import { encodeHeaders } from "./hpack/encoder.ts";

export interface OutgoingOwner {
  /** END_STREAM has been written. */
  sent(): void;
  /** There is room again after a `data` that said no. */
  writable(): void;
}

/**
 * The sending half of a stream: DATA goes straight to the output as far as the windows reach and the connection keeps
 * up; the rest of one call is kept.
 */
export class Outgoing {
  readonly #id: number;
  readonly #connection: Connection;
  readonly #owner: OutgoingOwner;
  /** What the peer takes now on this stream; below zero after it has made its windows smaller (RFC 9113 §6.9.2). */
  #window: number;
  #kept: ByteQueue | undefined;
  #stalled = false;
  #ending = false;
  #closed = false;
  #trailers: HeaderList | undefined;

  constructor(id: number, connection: Connection, owner: OutgoingOwner) {
    this.#id = id;
    this.#connection = connection;
    this.#owner = owner;
    this.#window = connection.peer.initialWindow;
  }

  /** END_STREAM has been written, or the stream was given up. */
  get closed(): boolean {
    return this.#closed;
  }

  get window(): number {
    return this.#window;
  }

  widen(increment: number): void {
    this.#window += increment;
  }

  /** True where there is nobody left to send to: the sender is not held up over it. */
  data(bytes: Buffer): boolean {
    if (this.#closed || this.#ending) return true;
    let at = 0;
    if (!this.#stalled) {
      while (at < bytes.length) {
        const sent = this.#write(bytes, at);
        if (sent === 0) break;
        at += sent;
      }
    }
    if (at < bytes.length) {
      this.#kept ??= new ByteQueue();
      this.#kept.push(bytes.subarray(at));
    }
    if (this.#kept === undefined && !this.#connection.writer.congested) return true;
    this.#stall();
    return false;
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#trailers = trailers;
    if (this.#kept === undefined) this.#finish();
  }

  /** The head that was written said END_STREAM, or there is nobody to send to any more. */
  close(): void {
    this.#closed = true;
    this.#kept = undefined;
    this.#unstall();
  }

  /** Sends one frame of what is kept; false when nothing could be done. */
  pump(): boolean {
    if (this.#kept === undefined) {
      this.#unstall();
      this.#owner.writable();
      return true;
    }
    const sent = this.#write(this.#kept.front(), 0);
    if (sent === 0) return false;
    this.#kept.drop(sent);
    if (!this.#kept.empty) return true;
    this.#kept = undefined;
    if (!this.#ending && this.#connection.writer.congested) return true;
    this.#unstall();
    if (this.#ending) this.#finish();
    else this.#owner.writable();
    return true;
  }

  #write(bytes: Buffer, from: number): number {
    const sent = this.#connection.flow.send(this.#id, bytes, from, this.#window);
    this.#window -= sent;
    return sent;
  }

  #finish(): void {
    const { writer } = this.#connection;
    if (this.#trailers !== undefined && this.#trailers.length > 0) {
      writer.headers(this.#id, encodeHeaders(this.#trailers), true);
    } else {
      writer.endOfData(this.#id);
    }
    this.close();
    this.#owner.sent();
  }

  #stall(): void {
    if (this.#stalled) return;
    this.#stalled = true;
    this.#connection.flow.stalled.add(this);
  }

  #unstall(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#connection.flow.stalled.delete(this);
  }
}
