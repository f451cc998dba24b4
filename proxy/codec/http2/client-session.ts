import type { Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";
import type {
  ClientSession,
  ClientSessionObserver,
  ClientStream,
  RequestHead,
  ResetCause,
  ResponseReceiver,
} from "../stream.ts";
import { Http2ClientStream } from "./client-stream.ts";
import { Connection, type Role } from "./connection.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { MAX_STREAM_ID } from "./frame.ts";
import { CLIENT_OPTIONS, type Http2Options } from "./options.ts";
import { encodeRequest } from "./request-block.ts";
import { ResponseFields } from "./response-fields.ts";
import { WaitingRequest } from "./waiting-request.ts";

/** What every server should allow, taken for granted until it says what it does (RFC 9113 §6.5.2). */
const UNSAID_STREAMS = 100;

/** Sends requests on a connection to a server of HTTP/2. */
export class Http2ClientSession implements ClientSession {
  readonly #connection: Connection;
  readonly #observer: ClientSessionObserver;
  readonly #fields: ResponseFields;
  readonly #most: number;
  #nextId = 1;
  /** Changes of protocols, until the server has said whether it takes them (RFC 8441 §3). */
  readonly #waiting = new Set<WaitingRequest>();
  /** Those that will hear so at the end of this turn. */
  readonly #refused = new Set<WaitingRequest>();
  #closing = false;
  /** The highest stream that the server still answers. */
  #serverLast = MAX_STREAM_ID;

  constructor(
    wire: Wire,
    observer: ClientSessionObserver,
    alarms: Alarms,
    options: Partial<Http2Options> = {},
  ) {
    const all = { ...CLIENT_OPTIONS, ...options };
    this.#observer = observer;
    this.#fields = new ResponseFields(all);
    this.#most = all.maxConcurrentStreams;
    this.#connection = new Connection(wire, this.#role(), alarms, all);
    this.#connection.start();
  }

  get capacity(): number {
    if (this.closing) return 0;
    const { peer, settled } = this.#connection;
    const allowed = peer.maxConcurrentStreams ?? (settled ? this.#most : UNSAID_STREAMS);
    return Math.max(0, Math.min(this.#most, allowed) - this.active);
  }

  get active(): number {
    return this.#connection.streams.size + this.#waiting.size;
  }

  get closing(): boolean {
    return this.#closing || !this.#connection.open || this.#nextId > MAX_STREAM_ID;
  }

  request(head: RequestHead, receiver: ResponseReceiver): ClientStream {
    const connection = this.#connection;
    if (head.upgrade !== undefined && !connection.settled && this.capacity > 0)
      return new WaitingRequest(head, receiver, this.#waiting);
    const refusal = this.#refusal(head);
    if (refusal !== undefined) return this.#refuse(head, receiver, refusal);
    const stream = new Http2ClientStream(this.#nextId, connection, head, receiver, this.#fields);
    this.#nextId += 2;
    connection.add(stream);
    // After an upgrade, or CONNECT, bytes go both ways.
    const ends = head.body.kind === "none" && head.upgrade === undefined && head.method !== "CONNECT";
    connection.writer.headers(stream.id, encodeRequest(head), ends);
    if (ends) stream.outgoing.close();
    return stream;
  }

  drain(): void {
    if (this.#closing || !this.#connection.open) return;
    this.#closing = true;
    this.#connection.writer.goaway(0, ErrorCode.noError, "");
    this.#quiet();
  }

  destroy(reason: string): void {
    this.#connection.destroy(reason);
  }

  /** Not before the caller has the stream in its hands; it has no number, which the next request is to get. */
  #refuse(head: RequestHead, receiver: ResponseReceiver, cause: ResetCause): ClientStream {
    const request = new WaitingRequest(head, receiver, this.#refused);
    queueMicrotask(() => {
      if (this.#refused.delete(request)) receiver.reset(cause);
    });
    return request;
  }

  #refusal({ upgrade }: RequestHead): ResetCause | undefined {
    if (this.capacity === 0) return { kind: "refused" };
    return upgrade === undefined || this.#connection.peer.connectProtocol
      ? undefined
      : { kind: "protocol", reason: "the server takes no change of protocols (RFC 8441)" };
  }

  #role(): Role {
    return {
      isServer: false,
      lastId: () => 0,
      isIdle: (id) => id % 2 === 0 || id >= this.#nextId,
      block: (id, bytes, start, end) => {
        this.#connection.skipBlock(bytes, start, end);
        this.#connection.closedStream(id);
      },
      peerLeaves: (lastId) => this.#serverLeaves(lastId),
      pong: () => {},
      idle: () => this.drain(),
      settled: () => {
        this.#sendWaiting();
        this.#observer.changed();
      },
      streamGone: () => {
        this.#quiet();
        this.#observer.changed();
      },
      closed: (reason) => {
        this.#loseWaiting({ kind: "disconnected", reason });
        this.#observer.closed();
      },
    };
  }

  #sendWaiting(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const request of waiting) request.sent(this.request(request.head, request.receiver));
  }

  #loseWaiting(cause: ResetCause): void {
    const waiting = [...this.#waiting, ...this.#refused];
    this.#waiting.clear();
    this.#refused.clear();
    for (const { receiver } of waiting) receiver.reset(cause);
  }

  /** Streams above the last one were not looked at: they can be sent again elsewhere (§6.8). */
  #serverLeaves(lastId: number): void {
    if (lastId > this.#serverLast) {
      throw new ConnectionError(ErrorCode.protocolError, "GOAWAY that takes more than the one before");
    }
    this.#serverLast = lastId;
    this.#closing = true;
    for (const stream of this.#connection.streams.values()) {
      if (stream.id > lastId) stream.lost({ kind: "refused" });
    }
    this.#quiet();
    this.#observer.changed();
  }

  #quiet(): void {
    if (this.#closing && this.active === 0) this.#connection.finish("drained");
  }
}
