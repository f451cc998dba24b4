import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { messageOf } from "../../mesh/errors.ts";
import { OutBuffer, type Piece } from "./out-buffer.ts";
import { type Reading, readingOf } from "./reading.ts";
import { giveSegment } from "./segments.ts";
import { flushThisTurn } from "./turn.ts";
import { FULL_BYTES, type Input, type Output, type Wire } from "./wire.ts";

/** Room enough to go on. */
const LOW_BYTES = FULL_BYTES / 4;

/**
 * A connected socket, TLS or not, as a wire. One write is in flight at a time: on a TLS socket a second would abort the
 * process, and a segment is free again when the kernel has taken it. `cut` ends the connection with a TCP reset.
 */
export class SocketWire implements Wire, Output {
  readonly #socket: Socket;
  readonly #cut: (socket: Socket) => void;
  readonly #reading: Reading;
  readonly #secure: boolean;
  readonly #buffer = new OutBuffer();
  /** What the kernel is about to take. */
  #inFlight: Piece | undefined;
  #input: Input | undefined;
  #dirty = false;
  #full = false;
  #ending = false;
  /** Cut off by this end: nothing more is written or heard but that it is closed, which may take a turn. */
  #isCut = false;
  #closed = false;
  #reason = "the connection was closed";
  readonly #written = (): void => this.#wrote();

  /** The socket has error listeners already. */
  constructor(socket: Socket, cut: (socket: Socket) => void, reading: Reading = readingOf(socket)) {
    this.#socket = socket;
    this.#cut = cut;
    this.#reading = reading;
    this.#secure = socket instanceof TLSSocket;
    socket.on("error", (error) => (this.#reason = error.message));
    socket.on("close", () => this.#over());
  }

  get output(): Output {
    return this;
  }

  get pending(): number {
    return this.#buffer.length + (this.#inFlight?.to ?? 0);
  }

  listen(input: Input): void {
    this.#input = input;
    if (this.#closed) {
      input.closed(this.#reason);
      return;
    }
    this.#socket.on("end", () => {
      if (!this.#isCut) input.ended();
    });
    this.#reading.start((chunk) => this.#take(input, chunk));
  }

  pause(): void {
    this.#reading.pause();
  }

  resume(): void {
    if (!this.#closed) this.#reading.resume();
  }

  latin1(text: string): void {
    if (this.#isCut || this.#closed) return;
    this.#buffer.latin1(text);
    this.#touch();
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isCut || this.#closed || chunk.length === 0) return;
    this.#buffer.bytes(chunk);
    this.#touch();
  }

  reserve(count: number): Buffer {
    if (this.#isCut || this.#closed) return Buffer.allocUnsafe(count);
    const room = this.#buffer.reserve(count);
    this.#touch();
    return room;
  }

  end(): void {
    this.#ending = true;
    this.#touch();
  }

  destroy(): void {
    if (this.#isCut || this.#closed) return;
    this.#isCut = true;
    this.#buffer.clear();
    this.#cut(this.#socket);
  }

  flush(): void {
    this.#dirty = false;
    while (this.#inFlight === undefined && !this.#isCut && !this.#closed) {
      const piece = this.#buffer.take();
      if (piece === undefined) {
        if (this.#ending) this.#socket.end();
        return;
      }
      this.#write(piece);
    }
  }

  #take(input: Input, chunk: Buffer): void {
    if (this.#isCut) return;
    try {
      input.bytes(chunk);
    } catch (error) {
      // The last resort: a defect of a codec costs this connection, not the process.
      this.#reason = `internal: ${messageOf(error)}`;
      this.destroy();
    }
  }

  #touch(): void {
    if (!this.#full && this.pending >= FULL_BYTES) this.#full = true;
    if (this.#dirty || this.#inFlight !== undefined) return;
    this.#dirty = true;
    flushThisTurn(this);
  }

  #write(piece: Piece): void {
    const bytes = piece.segment.subarray(0, piece.to);
    this.#inFlight = piece;
    if (this.#secure) {
      this.#socket.write(bytes, this.#written);
      return;
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength === 0) this.#taken();
    // Nothing tells of a write without a callback, and those with one cost a tick each: an empty one after it does.
    else this.#socket.write("", this.#written);
  }

  #wrote(): void {
    this.#taken();
    this.flush();
  }

  #taken(): void {
    const piece = this.#inFlight;
    if (piece === undefined) return;
    this.#inFlight = undefined;
    giveSegment(piece.segment);
    if (this.#full && this.pending <= LOW_BYTES && !this.#isCut) {
      this.#full = false;
      this.#input?.drained();
    }
  }

  #over(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#buffer.clear();
    // The kernel, or OpenSSL, may still hold what is in flight: that segment goes to the garbage.
    this.#inFlight = undefined;
    this.#input?.closed(this.#reason);
  }
}
