import type { HeaderList } from "../../tables/header-list.ts";
import type { BodySink, ResetCause } from "../stream.ts";
import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { type BodyFault, Incoming } from "./incoming.ts";
import { Outgoing, type OutgoingOwner } from "./outgoing.ts";

/** One stream of either role: its two halves and what ends them (RFC 9113 §5.1). */
export abstract class Http2Stream implements BodySink, OutgoingOwner {
  readonly id: number;
  readonly connection: Connection;
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  #over = false;

  constructor(id: number, connection: Connection) {
    this.id = id;
    this.connection = connection;
    this.incoming = new Incoming(id, connection);
    this.outgoing = new Outgoing(id, connection, this);
  }

  get over(): boolean {
    return this.#over;
  }

  data(bytes: Buffer): boolean {
    return this.outgoing.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    this.outgoing.end(trailers);
  }

  pause(): void {
    this.incoming.pause();
  }

  resume(): void {
    this.incoming.resume();
  }

  /** From this end. Whoever receives hears nothing more. */
  reset(cause: ResetCause): void {
    this.incoming.abandon();
    this.giveUp(this.codeFor(cause), false);
  }

  /** A field block: an answer's head, or trailers. */
  abstract headers(bytes: Buffer, start: number, end: number, endStream: boolean): void;
  abstract writable(): void;
  abstract sent(): void;
  protected abstract codeFor(cause: ResetCause): ErrorCode;
  /** The stream is over; `complete`: END_STREAM has been written. */
  protected abstract gone(complete: boolean): void;
  /** Something is wrong with the stream alone, or it is lost: its receiver is told. */
  protected abstract lose(cause: ResetCause): void;

  /** Content of a DATA frame, as `Incoming.data`. */
  body(bytes: Buffer, start: number, end: number, padded: number, endStream: boolean): void {
    const fault = this.incoming.data(bytes, start, end, padded);
    if (fault !== undefined) this.fail(fault);
    else if (endStream && !this.#over) this.bodyEnded(undefined);
  }

  protected trailersCame(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const { trailers, decoder } = this.connection;
    trailers.begin();
    decoder.decode(bytes, start, end, trailers);
    if (!endStream) this.malformed("trailers that do not end the stream");
    else if (trailers.problem !== undefined) this.malformed(trailers.problem);
    else if (trailers.tooLarge) this.malformed("trailers too large");
    else this.bodyEnded(trailers.trailers());
  }

  /** RFC 9113 §8.1.1. */
  protected malformed(reason: string): void {
    this.fail({ code: ErrorCode.protocolError, reason });
  }

  protected bodyEnded(trailers: HeaderList | undefined): void {
    const fault = this.incoming.end(trailers);
    if (fault !== undefined) this.fail(fault);
    else if (this.outgoing.closed) this.finish(true);
  }

  /** A stream error of the peer's making (§5.4.2): it counts as a reset, though it is sent from here. */
  fail({ code, reason }: BodyFault): void {
    if (this.#over) return;
    this.giveUp(code, false, { kind: "protocol", reason });
    this.connection.floods.reset();
  }

  /** RST_STREAM came. */
  resetByPeer(cause: ResetCause): void {
    this.lost(cause);
  }

  /** The peer gave the stream up, or the connection is gone: nothing can be sent. */
  lost(cause: ResetCause): void {
    if (this.#over) return;
    const complete = this.outgoing.closed;
    this.outgoing.close();
    this.#leave(false);
    this.lose(cause);
    this.gone(complete);
    this.connection.role.streamGone();
  }

  /** Says RST_STREAM if the stream is still known to the peer. */
  protected giveUp(code: ErrorCode, complete: boolean, cause?: ResetCause): void {
    if (this.#over) return;
    this.outgoing.close();
    this.#leave(true);
    this.connection.writer.reset(this.id, code);
    this.connection.floods.resetSent();
    if (cause !== undefined) this.lose(cause);
    this.gone(complete);
    this.connection.role.streamGone();
  }

  /** Both directions have come to their end. */
  protected finish(complete: boolean): void {
    if (this.#over) return;
    this.#leave(false);
    this.connection.floods.streamDone();
    this.gone(complete);
    this.connection.role.streamGone();
  }

  #leave(resetHere: boolean): void {
    this.#over = true;
    this.connection.forget(this.id, resetHere);
  }
}
