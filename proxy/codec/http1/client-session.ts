import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { Input, Output, Wire } from "../../transport/wire.ts";
import type {
  ClientSession,
  ClientSessionObserver,
  ClientStream,
  RequestHead,
  ResetCause,
  ResponseReceiver,
} from "../stream.ts";
import { BodyReader } from "./body-reader.ts";
import { Http1ClientStream, type RequestEvents } from "./client-stream.ts";
import { HeadReader } from "./head-reader.ts";
import { HeldInput } from "./held-input.ts";
import { readResponseHead } from "./response-head.ts";
import { writeRequestHead } from "./write-head.ts";

/** As Envoy takes it from an upstream. */
const LARGEST_RESPONSE_HEAD = 80 * 1024;
const LINGER_MS = 2000;

/**
 * Asks a server over an HTTP/1.1 connection, one request at a time. Used again only when request and answer have both
 * come to their ends as they were announced; bytes that nobody asked for end it.
 */
export class Http1ClientSession implements ClientSession, Input, RequestEvents {
  readonly output: Output;
  readonly #observer: ClientSessionObserver;
  readonly #alarms: Alarms;
  readonly #heads = new HeadReader(LARGEST_RESPONSE_HEAD);
  readonly #held: HeldInput;
  readonly #linger = new Alarm(() => this.output.destroy());
  #stream: Http1ClientStream | undefined;
  #body: BodyReader | undefined;
  #state: "idle" | "head" | "body" | "raw" | "over" = "idle";
  /** The connection ends with this answer. */
  #last = false;
  #untilClose = false;
  #reading = false;
  #draining = false;
  #closed = false;

  constructor(wire: Wire, observer: ClientSessionObserver, alarms: Alarms) {
    this.output = wire.output;
    this.#observer = observer;
    this.#alarms = alarms;
    this.#held = new HeldInput(wire);
    wire.listen(this);
  }

  get capacity(): number {
    return this.#state === "idle" && !this.#draining ? 1 : 0;
  }

  get active(): number {
    return this.#stream === undefined ? 0 : 1;
  }

  get closing(): boolean {
    return this.#state === "over" || this.#draining || this.#last;
  }

  request(head: RequestHead, receiver: ResponseReceiver): ClientStream {
    const text = writeRequestHead(head);
    const stream = new Http1ClientStream(this, head, receiver);
    this.#stream = stream;
    this.#state = "head";
    this.output.latin1(text);
    return stream;
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#state === "idle") this.#finish();
  }

  destroy(reason: string): void {
    if (this.#state === "idle") this.#finish();
    else this.#fail({ kind: "disconnected", reason });
  }

  // Input

  bytes(chunk: Buffer): void {
    if (this.#held.holding) this.#held.hold(chunk, 0);
    else if (this.#state === "idle") this.#cut();
    else this.#read(chunk);
  }

  ended(): void {
    if (this.#closed) return;
    if (this.#state === "idle") this.#finish();
    else if (this.#state === "raw") {
      this.#untilClose = true;
      this.#stream?.receiver.end(undefined);
      this.#closeRaw();
    } else if (this.#state === "body" && this.#untilClose) this.#answerOver();
    else if (this.#state !== "over")
      this.#fail({ kind: "disconnected", reason: "the server closed the connection" });
  }

  drained(): void {
    this.#stream?.receiver.writable();
  }

  closed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#linger.clear();
    const stream = this.#stream;
    const whole = this.#state === "raw" && this.#untilClose;
    this.#state = "over";
    this.#stream = undefined;
    if (stream !== undefined) {
      stream.close();
      if (!whole) stream.receiver.reset({ kind: "disconnected", reason });
    }
    this.#observer.closed();
  }

  // RequestEvents

  sent(sound: boolean): void {
    if (this.#state === "raw") this.#closeRaw();
    else if (!sound) this.#cut();
  }

  proceed(): void {
    if (this.#reading || this.#closed) return;
    const rest = this.#held.take();
    if (rest !== undefined) this.#read(rest);
    if (this.#held.isEmpty && this.#stream?.held !== true) this.#held.release();
  }

  abandoned(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#cut();
  }

  // Reading

  #read(input: Buffer): void {
    this.#reading = true;
    let at = 0;
    while (at < input.length && this.#stream?.held !== true) {
      if (this.#state === "head") at = this.#readHead(input, at);
      else if (this.#state === "body") at = this.#readBody(input, at);
      else if (this.#state === "raw") at = this.#readRaw(input, at);
      else {
        // More than was asked for: the next answer would be read from the wrong place.
        if (this.#state === "idle") this.#cut();
        at = input.length;
      }
    }
    this.#reading = false;
    if (this.#stream?.held === true) this.#held.hold(input, at);
  }

  #readHead(input: Buffer, at: number): number {
    const stream = this.#stream;
    const text = this.#heads.read(input, at);
    if (this.#heads.problem !== undefined)
      return this.#broken(`${this.#heads.problem} of the response's head`);
    if (text === undefined || stream === undefined) return input.length;
    const read = readResponseHead(text, stream.method);
    if (!read.ok) return this.#broken(read.reason);
    const { head } = read;
    const isTunnel = stream.method === "CONNECT" && head.status >= 200 && head.status < 300;
    if (head.status === 101 || isTunnel) {
      if (!isTunnel && (stream.upgrade === undefined || stream.upgrade !== read.upgrade))
        return this.#broken("unexpected upgrade");
      this.#state = "raw";
      this.#untilClose = false;
      this.#last = true;
      stream.switch();
      stream.receiver.head(head);
    } else if (head.status < 200) stream.receiver.inform(head.status, head.headers);
    else {
      this.#last = read.last;
      this.#untilClose = read.untilClose;
      this.#body = new BodyReader(head.body, read.untilClose);
      this.#state = "body";
      stream.receiver.head(head);
      if (this.#stream === stream && this.#body.over) this.#answerOver();
    }
    return this.#heads.next;
  }

  #readBody(input: Buffer, at: number): number {
    const body = this.#body;
    const stream = this.#stream;
    if (body === undefined || stream === undefined) return input.length;
    const piece = body.read(input, at);
    if (body.problem !== undefined) return this.#broken(`${body.problem} of the response`);
    if (piece !== undefined && !stream.receiver.data(piece)) stream.held = true;
    if (body.over && this.#stream === stream) this.#answerOver();
    return body.next;
  }

  #readRaw(input: Buffer, at: number): number {
    const stream = this.#stream;
    if (stream !== undefined && !stream.receiver.data(at === 0 ? input : input.subarray(at)))
      stream.held = true;
    return input.length;
  }

  // The end of an answer, and of the connection

  #answerOver(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const { sent } = stream;
    this.#stream = undefined;
    this.#body = undefined;
    stream.close();
    if (!sent) this.#cut();
    else if (this.#last || this.#draining) this.#finish();
    else this.#state = "idle";
    // An answer that was held is over as well: nobody else would let the connection go on.
    if (!this.#reading) this.#held.release();
    this.#observer.changed();
    stream.receiver.end(undefined);
  }

  #closeRaw(): void {
    if (this.#untilClose && this.#stream?.sent === true) this.#linger.set(this.#alarms, LINGER_MS);
  }

  #broken(reason: string): number {
    this.#fail({ kind: "protocol", reason });
    return Number.MAX_SAFE_INTEGER;
  }

  #fail(cause: ResetCause): void {
    const stream = this.#stream;
    const whole = this.#state === "raw" && this.#untilClose;
    this.#stream = undefined;
    this.#cut();
    stream?.close();
    if (!whole) stream?.receiver.reset(cause);
  }

  /** Closes the connection in order: what was written arrives. */
  #finish(): void {
    this.#state = "over";
    this.output.end();
    this.#linger.set(this.#alarms, LINGER_MS);
    this.#observer.changed();
  }

  #cut(): void {
    this.#state = "over";
    this.output.destroy();
    this.#observer.changed();
  }
}
