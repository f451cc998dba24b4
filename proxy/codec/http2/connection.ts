import type { Alarms } from "../../transport/alarms.ts";
import type { Input, Output, Wire } from "../../transport/wire.ts";
import type { ResetCause } from "../stream.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { Floods } from "./floods.ts";
import { CLIENT_PREFACE, DEFAULT_WINDOW, KEEP_ALIVE } from "./frame.ts";
import { FrameDispatch } from "./frame-dispatch.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { Http2Options } from "./options.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { TrailerFields } from "./received-fields.ts";
import { RecentStreams } from "./recent-streams.ts";
import { SendFlow } from "./send-flow.ts";
import { SessionTimes } from "./session-times.ts";
import { encodeSettings, type PeerSettings, unsaidSettings } from "./settings.ts";

/** Bytes that are let pass after the goodbye of a failed connection, so that the peer reads it. */
const AFTERWARDS = 65_536;

/** What differs between a client and a server. */
export interface Role {
  readonly isServer: boolean;
  /** The highest of the peer's streams that has been looked at. */
  lastId(): number;
  /** Nobody has opened the stream yet. */
  isIdle(id: number): boolean;
  /** A whole field block for a stream that is not there. */
  block(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void;
  /** The peer's settings have come. */
  settled(): void;
  /** The peer takes no streams above `lastId`. */
  peerLeaves(lastId: number): void;
  /** A PING of the role's has come back. */
  pong(): void;
  /** A stream has gone. */
  streamGone(): void;
  /** There has been none for its time. */
  idle(): void;
  /** The connection is over, and all its streams are. */
  closed(reason: string): void;
}

/** One HTTP/2 connection of either role (RFC 9113): what its streams share, from the preface to the goodbye. */
export class Connection implements Input {
  readonly options: Http2Options;
  readonly writer: FrameWriter;
  readonly flow: SendFlow;
  readonly floods: Floods;
  readonly decoder = new HpackDecoder();
  readonly trailers: TrailerFields;
  readonly peer: PeerSettings = unsaidSettings();
  readonly streams = new Map<number, Http2Stream>();
  readonly recent = new RecentStreams();
  readonly role: Role;
  readonly alarms: Alarms;
  readonly times: SessionTimes;
  readonly #output: Output;
  readonly #wire: Wire;
  readonly #window: ReceiveWindow;
  readonly #frames: FrameDispatch;
  readonly #reader: FrameReader;
  #prefaceLeft: string;
  #open = true;
  #closed = false;
  #afterwards = 0;

  constructor(wire: Wire, role: Role, alarms: Alarms, options: Http2Options) {
    this.options = options;
    this.alarms = alarms;
    this.role = role;
    this.#output = wire.output;
    this.floods = new Floods(options.now);
    this.writer = new FrameWriter(wire.output, () => this.destroy("the peer does not read"));
    this.flow = new SendFlow(this.writer, this.floods);
    this.trailers = new TrailerFields(options);
    this.#frames = new FrameDispatch(this);
    this.#reader = new FrameReader(this.#frames);
    const window = Math.max(options.connectionWindow, DEFAULT_WINDOW);
    this.#window = new ReceiveWindow(window);
    this.#prefaceLeft = role.isServer ? CLIENT_PREFACE : "";
    if (!role.isServer) wire.output.latin1(CLIENT_PREFACE);
    this.writer.settings(encodeSettings({ ...options, isServer: role.isServer }));
    if (window > DEFAULT_WINDOW) this.writer.windowUpdate(0, window - DEFAULT_WINDOW);
    this.times = new SessionTimes(options, alarms, {
      late: () => this.#fail(new ConnectionError(ErrorCode.enhanceYourCalm, "head timeout")),
      idle: () => role.idle(),
      stuck: () => this.#stuck(),
      ping: () => this.writer.ping(KEEP_ALIVE, 0),
      unanswered: () => this.destroy("keepalive timeout"),
    });
    this.#wire = wire;
  }

  /** Begins, once its owner has it: what came before is read at once. */
  start(): void {
    this.#wire.listen(this);
  }

  get open(): boolean {
    return this.#open;
  }

  /** The peer has said what it takes. */
  get settled(): boolean {
    return this.#frames.settled;
  }

  bytes(chunk: Buffer): void {
    if (!this.#open) {
      this.#afterwards += chunk.length;
      if (this.#afterwards > AFTERWARDS) this.#output.destroy();
      return;
    }
    try {
      this.#reader.feed(chunk, this.#prefaceLeft === "" ? 0 : this.#preface(chunk));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#fail(error);
      return;
    }
    if (this.#frames.widened) {
      this.#frames.widened = false;
      this.flow.pump();
    }
  }

  ended(): void {
    this.finish("the peer closed the connection");
  }

  drained(): void {
    if (this.#open) this.flow.pump();
  }

  closed(reason: string): void {
    this.#leave(reason);
    if (this.#closed) return;
    this.#closed = true;
    this.times.closed();
    this.role.closed(reason);
  }

  /** DATA has come, whatever it is good for. */
  received(bytes: number): void {
    if (!this.#window.take(bytes)) {
      throw new ConnectionError(ErrorCode.flowControlError, "more DATA than the window of the connection");
    }
  }

  /** DATA is out of the way: the peer may send as much more. */
  consumed(bytes: number): void {
    this.#window.owe(bytes);
    const increment = this.#window.due();
    if (increment > 0 && this.#open) this.writer.windowUpdate(0, increment);
  }

  /** Decodes a block that nobody wants, for the sake of the table. */
  skipBlock(bytes: Buffer, start: number, end: number): void {
    this.trailers.begin();
    this.decoder.decode(bytes, start, end, this.trailers);
  }

  /** DATA or HEADERS for a stream that is not there (§5.1). */
  closedStream(id: number): void {
    if (this.role.isIdle(id)) {
      throw new ConnectionError(ErrorCode.protocolError, "frame for a stream that nobody opened");
    }
    const end = this.recent.find(id);
    if (end === "ended") throw new ConnectionError(ErrorCode.streamClosed, "frame for a closed stream");
    if (end === "reset") this.floods.late();
    else this.refuseStream(id, ErrorCode.streamClosed);
  }

  /** RST_STREAM for what the peer did, on a stream that is not there: it counts as a reset. */
  refuseStream(id: number, code: ErrorCode): void {
    this.writer.reset(id, code);
    this.recent.add(id, true);
    this.floods.resetSent();
    this.floods.reset();
  }

  add(stream: Http2Stream): void {
    this.streams.set(stream.id, stream);
    this.floods.streamOpened();
    if (this.streams.size === 1) this.times.busy();
  }

  /** The stream takes no frames any more. */
  forget(id: number, resetHere: boolean): void {
    this.streams.delete(id);
    this.recent.add(id, resetHere);
    if (this.streams.size === 0 && this.#open) this.times.quiet();
  }

  /** After everything that has been written the connection closes. */
  finish(reason: string): void {
    if (!this.#open) return;
    this.#output.end();
    this.times.linger();
    this.#leave(reason);
  }

  destroy(reason: string): void {
    if (!this.#open) return;
    this.#output.destroy();
    this.#leave(reason);
  }

  #preface(chunk: Buffer): number {
    const length = Math.min(chunk.length, this.#prefaceLeft.length);
    if (chunk.toString("latin1", 0, length) !== this.#prefaceLeft.slice(0, length)) {
      throw new ConnectionError(ErrorCode.protocolError, "no preface of HTTP/2");
    }
    this.#prefaceLeft = this.#prefaceLeft.slice(length);
    return length;
  }

  /** Says why, and closes (§5.4.1). */
  #fail({ code, message }: ConnectionError): void {
    if (!this.#open) return;
    this.writer.goaway(this.role.lastId(), code, message);
    this.finish(message);
  }

  #stuck(): void {
    if (!this.#open) this.#output.destroy();
    else if (this.streams.size === 0) this.destroy("the peer does not answer");
  }

  #leave(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.times.stop();
    const cause: ResetCause = { kind: "disconnected", reason };
    for (const stream of this.streams.values()) stream.lost(cause);
  }
}
