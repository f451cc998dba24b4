import type { Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";
import type { ServerSession, ServerSessionObserver } from "../stream.ts";
import { Connection, type Role } from "./connection.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { MAX_STREAM_ID } from "./frame.ts";
import { encodeStatus } from "./hpack/encoder.ts";
import { type Http2Options, SERVER_OPTIONS } from "./options.ts";
import { RequestFields, type RequestRefusal } from "./request-fields.ts";
import { Http2ServerStream } from "./server-stream.ts";

/** Serves HTTP/2 on a connection that begins with the client's preface. */
export class Http2ServerSession implements ServerSession {
  readonly #connection: Connection;
  readonly #observer: ServerSessionObserver;
  readonly #fields: RequestFields;
  readonly #most: number;
  /** The client's highest stream so far, and the highest that was looked at. */
  #seenId = 0;
  #lastId = 0;
  /** Goodbye in two steps (RFC 9113 §6.8): warned first, then, when the warning has been read, the last stream is named. */
  #goodbye: "none" | "warned" | "final" = "none";
  #clientLeaves = false;
  readonly #drain = (): void => this.drain();

  constructor(
    wire: Wire,
    observer: ServerSessionObserver,
    alarms: Alarms,
    options: Partial<Http2Options> = {},
  ) {
    const all = { ...SERVER_OPTIONS, ...options };
    this.#observer = observer;
    this.#fields = new RequestFields(all);
    this.#most = all.maxConcurrentStreams;
    this.#connection = new Connection(wire, this.#role(), alarms, all);
    this.#connection.start();
  }

  get active(): number {
    return this.#connection.streams.size;
  }

  drain(): void {
    if (this.#goodbye !== "none" || !this.#connection.open) return;
    this.#goodbye = "warned";
    this.#connection.writer.goaway(MAX_STREAM_ID, ErrorCode.noError, "");
    this.#connection.writer.ping("goodbye.", 0);
    this.#quiet();
  }

  closeIdle(): void {}

  destroy(reason: string): void {
    this.#connection.destroy(reason);
  }

  #role(): Role {
    return {
      isServer: true,
      lastId: () => this.#lastId,
      isIdle: (id) => id % 2 === 0 || id > this.#seenId,
      block: (id, bytes, start, end, endStream) => this.#open(id, bytes, start, end, endStream),
      peerLeaves: () => {
        this.#clientLeaves = true;
        this.#quiet();
      },
      pong: () => this.#warningRead(),
      settled: () => {},
      idle: () => this.drain(),
      streamGone: () => this.#quiet(),
      closed: () => this.#observer.closed(),
    };
  }

  #warningRead(): void {
    if (this.#goodbye !== "warned") return;
    this.#goodbye = "final";
    this.#connection.writer.goaway(this.#lastId, ErrorCode.noError, "");
    this.#quiet();
  }

  #quiet(): void {
    if (this.active > 0) return;
    if (this.#goodbye === "final" || this.#clientLeaves) this.#connection.finish("drained");
    else if (this.#goodbye === "warned") this.#connection.times.linger();
  }

  #open(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const connection = this.#connection;
    if (id % 2 === 0) throw new ConnectionError(ErrorCode.protocolError, "stream of the server's numbers");
    if (id <= this.#seenId) {
      this.#reopened(id, bytes, start, end);
      return;
    }
    this.#seenId = id;
    if (this.#goodbye === "final") {
      // The client knows by the last GOAWAY that nobody looks at it.
      connection.skipBlock(bytes, start, end);
      connection.recent.add(id, true);
      connection.floods.reset();
      return;
    }
    this.#lastId = id;
    const fields = this.#fields;
    fields.begin();
    connection.decoder.decode(bytes, start, end, fields);
    const head = fields.head(endStream);
    if ("kind" in head) {
      this.#refuse(id, head, endStream);
    } else if (this.active >= this.#most) {
      connection.refuseStream(id, ErrorCode.refusedStream);
    } else {
      const stream = new Http2ServerStream(id, connection, head, this.#drain);
      connection.add(stream);
      this.#observer.request(head, stream);
    }
  }

  /** HEADERS for a stream that is closed, or that was passed over and can never be opened (§5.1.1). */
  #reopened(id: number, bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection.recent.find(id) === undefined) {
      throw new ConnectionError(ErrorCode.protocolError, "stream number that goes back");
    }
    connection.skipBlock(bytes, start, end);
    connection.closedStream(id);
  }

  #refuse(id: number, { kind, status, reason }: RequestRefusal, ended: boolean): void {
    const { writer, recent, floods } = this.#connection;
    const { method, target } = this.#fields;
    this.#observer.refused({ method, target, status, detail: reason });
    if (kind === "status") writer.headers(id, encodeStatus(status), true);
    if (kind === "malformed" || !ended) {
      this.#connection.refuseStream(id, kind === "malformed" ? ErrorCode.protocolError : ErrorCode.noError);
    } else {
      recent.add(id, false);
      floods.reset();
    }
  }
}
