import type { HeaderList } from "../../tables/header-list.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { Input, Wire } from "../../transport/wire.ts";
import type { ResetCause } from "../stream.ts";
import { FrameReader, type FrameReceiver } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { FrameKind, INITIAL_SETTINGS, MOST, ResetCode, type Settings } from "./frames.ts";
import { decodeHeaders } from "./heads.ts";
import type { ReceiveHalf, WindowBudget } from "./receive-half.ts";
import type { SendHalf } from "./send-half.ts";

/** Windows of streams grow by so much, together. */
const MOST_GROWTH_BYTES = 16 * 1024 * 1024;
/** With more than this waiting for the kernel, the other end does not read what it asks for. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
/** After so much silence the other end is asked for a sign of life, and after as much again it is given up. */
const SILENCE_MS = 5000;

/** A stream as its connection sees it. */
export interface TunnelStream {
  readonly outgoing: SendHalf;
  readonly incoming: ReceiveHalf;
  /** False as long as its head has to come first. */
  readonly takesBody: boolean;
  /** The source of what is sent may go on. */
  writable(): void;
  /** Halves have changed: the stream may be over. */
  settle(): void;
  /** The other end, or the connection, has given it up. The stream is not known any more. */
  lost(cause: ResetCause): void;
}

/** What is different at the two ends. */
export interface TunnelRole {
  /** REQUEST, RESPONSE, INTERIM or CONNECT. */
  head(kind: number, stream: number, payload: Buffer, fin: boolean): void;
  /** There is room for other numbers of streams: SETTINGS have come, or a stream is over. */
  changed?(): void;
  /** The other end opens, or takes, no stream after this one. */
  goaway(last: number): void;
  closed(): void;
}

/** A connection of `lateen-mux/1`: frames, credit, settings, signs of life, the end; the same at both ends. */
export class Tunnel implements Input, FrameReceiver {
  readonly writer: FrameWriter;
  readonly streams = new Map<number, TunnelStream>();
  readonly own: Settings;
  readonly windowBudget: WindowBudget = { left: MOST_GROWTH_BYTES };
  /** Highest stream that was opened here (client) or seen (server). */
  last = 0;
  readonly #role: TunnelRole;
  readonly #wire: Wire;
  readonly #reader = new FrameReader(this);
  #peer = INITIAL_SETTINGS;
  #said: "nothing" | "goaway" | "end" = "nothing";
  #closed = false;
  readonly #alarms: Alarms;
  /** Streams wait for an other end that says nothing. A host that vanished is noticed by TCP in a quarter of an hour. */
  readonly #silence = new Alarm(() => this.#askOrGiveUp());
  #asked = false;
  #ending = false;

  constructor(wire: Wire, role: TunnelRole, alarms: Alarms, own: Settings = INITIAL_SETTINGS) {
    this.#alarms = alarms;
    this.#wire = wire;
    this.#role = role;
    this.own = own;
    this.writer = new FrameWriter(wire.output);
  }

  /** Begins, once its owner has it: what came before is read at once. */
  start(): void {
    this.writer.settings(this.own);
    this.#wire.listen(this);
  }

  get peer(): Settings {
    return this.#peer;
  }

  /** Nothing can be sent or received any more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Both ends have said that there is nothing new: it ends with its last stream. */
  finishWhenIdle(): void {
    this.#ending = true;
    this.#endIfIdle();
  }

  forget(id: number): void {
    if (!this.streams.delete(id)) return;
    this.#role.changed?.();
    this.#endIfIdle();
  }

  /** Says once that no stream after `last` is opened (client) or taken (server). */
  goaway(last: number): void {
    if (this.#said !== "nothing" || this.#closed) return;
    this.#said = "goaway";
    this.writer.goaway(last);
  }

  /** Opened here, or by the other end. */
  add(id: number, stream: TunnelStream): void {
    this.streams.set(id, stream);
    if (this.streams.size === 1) this.#expectNews();
  }

  destroy(reason: string): void {
    if (this.#closed) return;
    this.#wire.output.destroy();
    this.closed(reason);
  }

  // Input

  bytes(chunk: Buffer): void {
    this.#asked = false;
    this.#silence.postpone();
    this.#reader.read(chunk);
  }

  ended(): void {
    if (this.streams.size > 0) this.destroy("the other end closed the connection");
    else this.#end();
  }

  drained(): void {
    // One after the other, beginning where the last turn ended: those who got something go to the end of the line.
    for (const [id, stream] of Array.from(this.streams)) {
      if (!stream.outgoing.done && this.streams.get(id) === stream) {
        this.streams.delete(id);
        this.streams.set(id, stream);
        this.#pump(stream);
      }
    }
  }

  closed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#silence.clear();
    this.#reader.stop();
    const left = [...this.streams.values()];
    this.streams.clear();
    for (const stream of left) stream.lost({ kind: "disconnected", reason });
    this.#role.closed();
  }

  // FrameReceiver

  broken(reason: string): void {
    this.destroy(`the tunnel is broken: ${reason}`);
  }

  data(id: number, bytes: Buffer, fin: boolean): void {
    const stream = this.#stream(id);
    if (stream === undefined) return;
    const wrong = stream.takesBody ? stream.incoming.take(bytes) : "DATA before the head";
    if (wrong !== undefined) this.#giveUp(id, stream, wrong);
    else if (fin) this.#finish(id, stream, undefined);
  }

  frame(kind: number, id: number, payload: Buffer, fin: boolean): void {
    switch (kind) {
      case FrameKind.settings:
        return this.#settings(payload);
      case FrameKind.request:
      case FrameKind.response:
      case FrameKind.interim:
      case FrameKind.connect:
        return this.#role.head(kind, id, payload, fin);
      case FrameKind.trailers:
        return this.#trailers(id, payload);
      case FrameKind.reset:
      case FrameKind.credit:
      case FrameKind.ping:
      case FrameKind.pong:
      case FrameKind.goaway:
        if (payload.length !== 4) return this.broken(`a frame of kind ${kind} with ${payload.length} octets`);
        return this.#number(kind, id, payload.readUInt32BE(0));
      default:
        // Left to later versions.
        return undefined;
    }
  }

  #expectNews(): void {
    this.#asked = false;
    this.#silence.set(this.#alarms, SILENCE_MS);
  }

  #askOrGiveUp(): void {
    if (this.streams.size === 0) return;
    if (this.#asked) {
      this.destroy("no sign of life");
      return;
    }
    this.#expectNews();
    this.#asked = true;
    this.writer.ping(0);
  }

  #settings(payload: Buffer): void {
    if (payload.length < 8) return this.broken("SETTINGS");
    const window = payload.readUInt32BE(4);
    if (window > MOST) return this.broken("SETTINGS");
    this.#peer = { maxStreams: payload.readUInt32BE(0), window };
    this.#role.changed?.();
    return undefined;
  }

  #number(kind: number, id: number, value: number): void {
    switch (kind) {
      case FrameKind.reset:
        return this.#reset(id, value);
      case FrameKind.credit: {
        const stream = this.#stream(id);
        if (stream === undefined) return undefined;
        if (value === 0 || !stream.outgoing.grant(value)) return this.broken("CREDIT");
        return this.#pump(stream);
      }
      case FrameKind.ping:
        if (this.writer.output.pending > MOST_UNREAD_BYTES)
          return this.destroy("the other end does not read");
        return this.writer.pong(value);
      case FrameKind.goaway:
        return this.#role.goaway(value);
      default:
        return undefined;
    }
  }

  #trailers(id: number, payload: Buffer): void {
    const stream = this.#stream(id);
    if (stream === undefined) return;
    const decoded = decodeHeaders(payload);
    if (!stream.takesBody) this.#giveUp(id, stream, "TRAILERS before the head");
    else if (!decoded.ok) this.#giveUp(id, stream, decoded.reason);
    else this.#finish(id, stream, decoded.head);
  }

  #finish(id: number, stream: TunnelStream, trailers: HeaderList | undefined): void {
    const wrong = stream.incoming.finish(trailers);
    if (wrong === undefined) stream.settle();
    else this.#giveUp(id, stream, wrong);
  }

  /** Gives up one stream, of which nothing more is believed; the others go on. */
  #giveUp(id: number, stream: TunnelStream, reason: string): void {
    this.writer.reset(id, ResetCode.protocol);
    this.forget(id);
    stream.lost({ kind: "protocol", reason });
  }

  #reset(id: number, code: number): void {
    const stream = this.#stream(id);
    if (stream === undefined) return;
    if (code === ResetCode.enough && stream.incoming.ended) {
      stream.outgoing.finish();
      stream.settle();
      return;
    }
    this.forget(id);
    stream.lost(causeOf(code));
  }

  /** Undefined for one that is over here: what the other end sent before it knew is dropped. */
  #stream(id: number): TunnelStream | undefined {
    if (id === 0 || id > this.last) {
      this.broken(`a frame for stream ${id}, which was not opened`);
      return undefined;
    }
    return this.streams.get(id);
  }

  #pump(stream: TunnelStream): void {
    if (stream.outgoing.pump()) stream.writable();
    if (stream.outgoing.done) stream.settle();
  }

  #endIfIdle(): void {
    if (this.#ending && this.streams.size === 0) this.#end();
  }

  #end(): void {
    if (this.#closed || this.#said === "end") return;
    this.#said = "end";
    this.writer.output.end();
  }
}

export function codeOf(cause: ResetCause): number {
  switch (cause.kind) {
    case "refused":
      return ResetCode.refused;
    case "protocol":
      return ResetCode.protocol;
    case "limit":
      return ResetCode.limit;
    case "cancelled":
    case "disconnected":
      return ResetCode.cancelled;
    default:
      return cause satisfies never;
  }
}

function causeOf(code: number): ResetCause {
  switch (code) {
    case ResetCode.refused:
      return { kind: "refused" };
    case ResetCode.protocol:
      return { kind: "protocol", reason: "the other end says so" };
    case ResetCode.limit:
      return { kind: "limit", reason: "the other end says so" };
    default:
      return { kind: "cancelled" };
  }
}
