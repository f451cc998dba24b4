import type { Alarms } from "../../transport/alarms.ts";
import { FULL_BYTES, type Input, type Output, type Wire } from "../../transport/wire.ts";
import type { RefusedRequest, ResetCause, ServerSession, ServerSessionObserver } from "../stream.ts";
import { BodyReader } from "./body-reader.ts";
import { HeadReader } from "./head-reader.ts";
import { HeldInput } from "./held-input.ts";
import { readRequestHead } from "./request-head.ts";
import { type AnswerEvents, Http1ServerStream } from "./server-stream.ts";
import { type ServerTimeLimits, ServerTimes } from "./server-times.ts";
import { writeRefusal } from "./write-head.ts";

export interface Http1ServerOptions extends ServerTimeLimits {
  readonly maxHeadBytes: number;
  readonly alarms: Alarms;
}

/** Of a body that nobody wants, so that the connection can be used again; beyond, it is closed. */
const MOST_DISCARDED_BYTES = 262_144;

/**
 * Serves HTTP/1.1 on a connection: one request after the other, each read as its receiver wants it; what is sent ahead
 * waits (RFC 9112 §9.3.2). After anything that is no request nothing on the connection is believed.
 */
export class Http1ServerSession implements ServerSession, Input, AnswerEvents {
  readonly output: Output;
  readonly #observer: ServerSessionObserver;
  readonly #heads: HeadReader;
  readonly #held: HeldInput;
  readonly #times: ServerTimes;
  #stream: Http1ServerStream | undefined;
  #body: BodyReader | undefined;
  /** `wait`: for the answer to what was read. `over`: whatever comes is dropped. */
  #state: "head" | "body" | "wait" | "raw" | "over" = "head";
  #reading = false;
  #draining = false;
  /** An answer is written, and the kernel has not taken enough of it for the next. */
  #behind = false;
  #discarded = 0;
  #closed = false;

  constructor(wire: Wire, observer: ServerSessionObserver, options: Http1ServerOptions) {
    this.output = wire.output;
    this.#observer = observer;
    this.#heads = new HeadReader(options.maxHeadBytes);
    this.#held = new HeldInput(wire);
    this.#times = new ServerTimes(options, options.alarms, {
      late: () => this.#late(),
      idle: () => this.#finish(),
      stuck: () => this.output.destroy(),
      isHeldBack: () => this.#held.holding,
    });
    this.#times.waitForHead();
    wire.listen(this);
  }

  get active(): number {
    return this.#stream === undefined ? 0 : 1;
  }

  /** The next answer that can say so closes the connection: closed without a word it could cost the next request. */
  drain(): void {
    this.#draining = true;
    if (this.#stream?.unanswered) this.#stream.closeAfter();
  }

  closeIdle(): void {
    if (this.active === 0) this.destroy("the listener is closed");
  }

  destroy(_reason: string): void {
    if (this.#stream === undefined && this.#state === "head") this.#finish();
    else this.output.destroy();
  }

  // Input

  bytes(chunk: Buffer): void {
    if (this.#held.holding) this.#held.hold(chunk, 0);
    else this.#read(chunk);
  }

  ended(): void {
    if (this.#closed || this.#state === "over") return;
    if (this.#state === "raw") {
      if (this.#stream) this.#stream.complete = true;
      this.#stream?.sink?.end(undefined);
      this.#closeRaw();
    } else if (this.#stream !== undefined && !this.#stream.answerOver) {
      // Who sends no more is taken to be gone, as Envoy and node:http do: an answer would have no reader.
      this.#state = "over";
      this.output.destroy();
    } else this.#finish();
  }

  drained(): void {
    if (this.#behind) {
      this.#behind = false;
      this.#next();
    } else this.#stream?.observer?.writable();
  }

  closed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#times.stop();
    const stream = this.#stream;
    const raw = this.#state === "raw";
    this.#state = "over";
    this.#stream = undefined;
    if (stream !== undefined) {
      if (!stream.complete) stream.sink?.reset({ kind: "disconnected", reason });
      stream.close(raw && stream.complete && stream.answerOver);
    }
    this.#observer.closed();
  }

  // AnswerEvents

  proceed(): void {
    if (this.#reading || this.#closed) return;
    const rest = this.#held.take();
    if (rest !== undefined) this.#read(rest);
    // Reading may have stopped again in the middle. Without a reason it goes on, if only to see that the sender is gone.
    if (this.#held.isEmpty && this.#stream?.held !== true) this.#held.release();
  }

  switched(): void {
    this.#state = "raw";
    this.#times.stop();
    this.proceed();
  }

  answered(sound: boolean): void {
    if (this.#state === "raw") this.#closeRaw();
    else if (!sound) this.output.destroy();
    else if (this.output.pending >= FULL_BYTES) this.#behind = true;
    else this.#next();
  }

  abandoned(): void {
    const stream = this.#stream;
    this.#state = "over";
    this.#stream = undefined;
    this.output.destroy();
    stream?.close(false);
  }

  // Reading

  #mayRead(): boolean {
    switch (this.#state) {
      case "wait":
        return false;
      case "body":
        return this.#stream?.answerOver === true || this.#isWanted();
      case "raw":
        return this.#isWanted();
      default:
        return true;
    }
  }

  #isWanted(): boolean {
    return this.#stream?.sink !== undefined && !this.#stream.held;
  }

  #read(input: Buffer): void {
    this.#reading = true;
    let at = 0;
    while (at < input.length) {
      if (!this.#mayRead()) {
        this.#held.hold(input, at);
        break;
      }
      if (this.#state === "head") at = this.#readHead(input, at);
      else if (this.#state === "body") at = this.#readBody(input, at);
      else if (this.#state === "raw") at = this.#readRaw(input, at);
      else at = input.length;
    }
    this.#reading = false;
    if (this.#stream?.held === true) this.#held.hold(input, input.length);
  }

  #readHead(input: Buffer, at: number): number {
    const text = this.#heads.read(input, at);
    if (text === undefined) {
      const { problem } = this.#heads;
      if (problem === "too long") return this.#refuse({ ...UNREAD, status: 431, detail: "header size" });
      if (problem !== undefined) return this.#refuse({ ...UNREAD, status: 400, detail: problem });
      this.#times.waitForHead();
      return input.length;
    }
    // One empty line before a request is forgiven (RFC 9112 §2.2).
    const read = readRequestHead(text.startsWith("\r\n") ? text.slice(2) : text);
    if (!read.ok) return this.#refuse(read);
    const { head, last } = read;
    const stream = new Http1ServerStream(this, head, last || this.#draining);
    this.#stream = stream;
    stream.complete = head.body.kind === "none";
    this.#state = stream.complete ? "wait" : "body";
    this.#body = stream.complete ? undefined : new BodyReader(head.body);
    this.#discarded = 0;
    this.#times.begin(head.body);
    this.#observer.request(head, stream);
    return this.#heads.next;
  }

  #readBody(input: Buffer, at: number): number {
    const body = this.#body;
    const stream = this.#stream;
    if (body === undefined || stream === undefined) return input.length;
    const piece = body.read(input, at);
    if (body.problem !== undefined) {
      this.#breakRequest(body.problem === "chunk extensions" ? 413 : 400, {
        kind: "protocol",
        reason: body.problem,
      });
      return input.length;
    }
    if (piece !== undefined) {
      this.#times.received(piece.length);
      if (stream.answerOver) this.#discard(piece.length);
      else if (stream.sink?.data(piece) === false) stream.held = true;
    }
    if (body.over && this.#body === body) this.#requestOver(stream);
    return body.next;
  }

  #readRaw(input: Buffer, at: number): number {
    const rest = at === 0 ? input : input.subarray(at);
    if (this.#stream?.sink?.data(rest) === false) this.#stream.held = true;
    return input.length;
  }

  #discard(count: number): void {
    this.#discarded += count;
    if (this.#discarded > MOST_DISCARDED_BYTES) this.#finish();
  }

  #requestOver(stream: Http1ServerStream): void {
    this.#body = undefined;
    stream.complete = true;
    this.#times.requestOver();
    if (this.#state === "body") this.#state = "wait";
    if (!stream.answerOver) stream.sink?.end(undefined);
    else if (!this.#behind) this.#next();
  }

  // The end of a request, and of the connection

  /** The answer is written: the next request, unless this one's rest is still to come or the connection is to close. */
  #next(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#state === "over") return;
    if (stream.last || stream.ambiguous) {
      this.#stream = undefined;
      this.#finish();
    } else if (stream.complete) {
      this.#stream = undefined;
      this.#state = "head";
      this.#times.waitForRequest();
    }
    stream.close(true);
    this.proceed();
  }

  /** Closes the connection in order: what was written arrives, what comes is dropped. */
  #finish(): void {
    this.#state = "over";
    this.#times.linger();
    this.output.end();
    this.#held.release();
  }

  #closeRaw(): void {
    if (this.#stream?.complete && this.#stream.answerOver) this.#times.linger();
  }

  #late(): void {
    if (this.#stream === undefined) {
      if (this.#heads.begun) this.#refuse({ ...UNREAD, status: 408, detail: "request timeout" });
      else this.#finish();
    } else if (!this.#stream.complete) {
      this.#breakRequest(408, { kind: "limit", reason: "request timeout" });
    }
  }

  #refuse(request: RefusedRequest): number {
    this.output.latin1(writeRefusal(request.status));
    this.#finish();
    this.#observer.refused(request);
    return Number.MAX_SAFE_INTEGER;
  }

  /** The rest of the request is none, or does not come. */
  #breakRequest(status: number, cause: ResetCause): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const { sink, unanswered, answerOver } = stream;
    this.#body = undefined;
    this.#state = "over";
    if (!answerOver) sink?.reset(cause);
    if (unanswered) {
      this.output.latin1(writeRefusal(status));
      this.#finish();
    } else if (answerOver) this.#finish();
    else this.output.destroy();
    this.#stream = undefined;
    stream.complete = true;
    stream.close(false);
  }
}

const UNREAD = { method: "", target: "" } as const;
