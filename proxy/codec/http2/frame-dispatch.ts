import { BlockAssembler } from "./block-assembler.ts";
import type { Connection } from "./connection.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { Flag, FrameType, KEEP_ALIVE, MAX_WINDOW } from "./frame.ts";
import { type FrameHandler, readId } from "./frame-reader.ts";
import type { Outgoing } from "./outgoing.ts";
import { applySettings } from "./settings.ts";

/** What each frame means (RFC 9113 §6): checked here as far as it is the connection's, then given to its stream. */
export class FrameDispatch implements FrameHandler {
  readonly #connection: Connection;
  #settled = false;
  #acknowledged = false;
  #block: BlockAssembler | undefined;
  /** There is more room for what we send than there was. */
  widened = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get settled(): boolean {
    return this.#settled;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): boolean {
    const { floods, role } = this.#connection;
    if (!this.#settled && type !== FrameType.settings) throw violation("no SETTINGS at the beginning");
    if (this.#block !== undefined && type !== FrameType.continuation)
      throw violation("frame inside of a block");
    switch (type) {
      case FrameType.data:
        this.#data(flags, id, bytes, start, end);
        break;
      case FrameType.headers:
        this.#headers(flags, id, bytes, start, end);
        break;
      case FrameType.priority:
        checkSize(end - start, 5);
        if (id === 0 || readId(bytes, start) === id) throw violation("PRIORITY");
        floods.empty("PRIORITY");
        break;
      case FrameType.rstStream:
        checkSize(end - start, 4);
        this.#resetStream(id, bytes.readUInt32BE(start));
        break;
      case FrameType.settings:
        if (id !== 0) throw violation("SETTINGS on a stream");
        if ((flags & Flag.ack) !== 0) this.#settingsAcknowledged(end - start);
        else this.#settings(bytes, start, end);
        break;
      case FrameType.pushPromise:
        throw violation("PUSH_PROMISE");
      case FrameType.ping:
        this.#ping(flags, id, bytes, start, end);
        break;
      case FrameType.goaway:
        if (end - start < 8) checkSize(end - start, 8);
        if (id !== 0) throw violation("GOAWAY on a stream");
        floods.empty("GOAWAY");
        role.peerLeaves(readId(bytes, start));
        break;
      case FrameType.windowUpdate:
        checkSize(end - start, 4);
        this.#windowUpdate(id, readId(bytes, start));
        break;
      case FrameType.continuation:
        this.#continuation(flags, id, bytes, start, end);
        break;
      default:
        floods.empty("unknown");
    }
    return this.#connection.open;
  }

  #data(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const connection = this.#connection;
    const size = to - from;
    const pad = (flags & Flag.padded) === 0 ? 0 : padding(bytes, from, to);
    const start = pad === 0 ? from : from + 1;
    const end = pad === 0 ? to : to - pad + 1;
    connection.received(size);
    const endStream = (flags & Flag.endStream) !== 0;
    if (end > start) connection.floods.dataReceived();
    else if (!endStream) connection.floods.empty("DATA");
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      connection.consumed(size);
      connection.closedStream(id);
    } else if (stream.incoming.ended) {
      connection.consumed(size);
      stream.fail({ code: ErrorCode.streamClosed, reason: "DATA after the end" });
    } else {
      if (pad > 0) connection.consumed(pad);
      stream.body(bytes, start, end, size, endStream);
    }
  }

  #headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw violation("HEADERS on stream 0");
    const pad = (flags & Flag.padded) === 0 ? 0 : padding(bytes, from, to);
    let start = pad === 0 ? from : from + 1;
    const end = pad === 0 ? to : to - pad + 1;
    if ((flags & Flag.priority) !== 0) {
      if (end - start < 5) throw new ConnectionError(ErrorCode.frameSizeError, "HEADERS cut off");
      if (readId(bytes, start) === id) throw violation("stream that depends on itself");
      start += 5;
    }
    const endStream = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) {
      this.#fieldBlock(id, bytes, start, end, endStream);
    } else {
      this.#connection.times.waitForHead();
      this.#block = new BlockAssembler(id, endStream, this.#connection.options.maxHeaderBytes);
      this.#block.add(bytes, start, end, this.#connection.floods);
    }
  }

  #continuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block === undefined || block.id !== id) throw violation("CONTINUATION of nothing");
    block.add(bytes, start, end, this.#connection.floods);
    if ((flags & Flag.endHeaders) === 0) return;
    this.#block = undefined;
    this.#connection.times.headCame();
    const whole = block.whole();
    this.#fieldBlock(id, whole, 0, whole.length, block.endStream);
  }

  #fieldBlock(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const connection = this.#connection;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      connection.role.block(id, bytes, start, end, endStream);
    } else if (stream.incoming.ended) {
      connection.skipBlock(bytes, start, end);
      stream.fail({ code: ErrorCode.streamClosed, reason: "HEADERS after the end" });
    } else {
      stream.headers(bytes, start, end, endStream);
    }
  }

  #resetStream(id: number, code: number): void {
    const { role, streams, floods } = this.#connection;
    if (role.isIdle(id)) throw violation("RST_STREAM of a stream that nobody opened");
    const stream = streams.get(id);
    if (stream === undefined) floods.empty("RST_STREAM");
    else stream.resetByPeer(code === ErrorCode.refusedStream ? { kind: "refused" } : { kind: "cancelled" });
  }

  #settingsAcknowledged(size: number): void {
    checkSize(size, 0);
    if (!this.#settled) throw violation("no SETTINGS at the beginning");
    if (this.#acknowledged) this.#connection.floods.empty("SETTINGS");
    this.#acknowledged = true;
    this.#connection.decoder.limitTable(0);
  }

  #settings(bytes: Buffer, start: number, end: number): void {
    const { floods, peer, streams, times, writer, role } = this.#connection;
    floods.answered("SETTINGS");
    const before = peer.initialWindow;
    applySettings(peer, bytes, start, end, !role.isServer);
    if (!this.#settled) times.headCame();
    this.#settled = true;
    const change = peer.initialWindow - before;
    if (change !== 0) for (const { outgoing } of streams.values()) widen(outgoing, change);
    this.widened = true;
    writer.settingsAck();
    role.settled();
  }

  #ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { floods, writer, role, times } = this.#connection;
    if (id !== 0) throw violation("PING on a stream");
    checkSize(end - start, 8);
    if ((flags & Flag.ack) !== 0) {
      if (bytes.toString("latin1", start, end) === KEEP_ALIVE && times.ponged()) return;
      floods.empty("PING");
      role.pong();
    } else {
      floods.answered("PING");
      writer.ping(bytes.toString("latin1", start, end), Flag.ack);
    }
  }

  #windowUpdate(id: number, increment: number): void {
    const { floods, flow, role, streams } = this.#connection;
    floods.windowUpdate();
    this.widened = true;
    if (id === 0) {
      if (increment === 0) throw violation("WINDOW_UPDATE of 0");
      if (!flow.widen(increment)) throw tooWide();
      return;
    }
    const stream = streams.get(id);
    if (stream === undefined) {
      if (role.isIdle(id)) throw violation("WINDOW_UPDATE of a stream that nobody opened");
    } else if (increment === 0) {
      stream.fail({ code: ErrorCode.protocolError, reason: "WINDOW_UPDATE of 0" });
    } else if (stream.outgoing.window + increment > MAX_WINDOW) {
      stream.fail({ code: ErrorCode.flowControlError, reason: "window too large" });
    } else {
      stream.outgoing.widen(increment);
    }
  }
}

function widen(outgoing: Outgoing, change: number): void {
  if (outgoing.window + change > MAX_WINDOW) throw tooWide();
  outgoing.widen(change);
}

/** Bytes that are not content: the one at the beginning that says how many there are at the end, and those (§6.1). */
function padding(bytes: Buffer, start: number, end: number): number {
  const size = 1 + (bytes[start] ?? 0);
  if (start === end || size > end - start) throw violation("padding longer than its frame");
  return size;
}

function checkSize(size: number, wanted: number): void {
  if (size !== wanted) throw new ConnectionError(ErrorCode.frameSizeError, "frame of wrong size");
}

function violation(reason: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, reason);
}

function tooWide(): ConnectionError {
  return new ConnectionError(ErrorCode.flowControlError, "window too large");
}
