import type { HeaderList } from "../../tables/header-list.ts";
import { FULL_BYTES, type Output } from "../../transport/wire.ts";
import type {
  BodySink,
  RequestHead,
  ResetCause,
  ResponseHead,
  ServerStream,
  ServerStreamObserver,
} from "../stream.ts";
import { BodyWriter } from "./body-writer.ts";
import { writeInterimHead, writeResponseHead, writeSwitchingHead } from "./write-head.ts";

/** What the connection of a request is told of its answer. */
export interface AnswerEvents {
  readonly output: Output;
  /** The request's reader takes more. */
  proceed(): void;
  /** From here on bytes go both ways. */
  switched(): void;
  /** The whole answer is written; `sound`: it is what its head has said. */
  answered(sound: boolean): void;
  /** The stream is given up. */
  abandoned(): void;
}

/** One request on an HTTP/1.1 connection, and its answer. Inert once it is `over`. */
export class Http1ServerStream implements ServerStream {
  readonly #events: AnswerEvents;
  readonly #head: RequestHead;
  #sink: BodySink | undefined;
  #observer: ServerStreamObserver | undefined;
  #writer: BodyWriter | undefined;
  #state: "open" | "answering" | "raw" | "answered" | "over" = "open";
  #continued = false;
  /** The receiver holds the sender back. */
  held = false;
  /** The whole request has been read. */
  complete = false;
  /** The connection closes after the answer. */
  last: boolean;

  constructor(events: AnswerEvents, head: RequestHead, last: boolean) {
    this.#events = events;
    this.#head = head;
    this.last = last;
  }

  get sink(): BodySink | undefined {
    return this.#sink;
  }

  get observer(): ServerStreamObserver | undefined {
    return this.#observer;
  }

  /** Nothing has been said yet that a refusal could not follow. */
  get unanswered(): boolean {
    return this.#state === "open";
  }

  get answerOver(): boolean {
    return this.#state === "answered" || this.#state === "over";
  }

  /** The sender may still wait for leave to send its body, or send it without: nobody can tell. */
  get ambiguous(): boolean {
    return this.#head.expectsContinue && !this.#continued && !this.complete;
  }

  receive(sink: BodySink): void {
    if (this.#state === "over") return;
    this.#sink = sink;
    if (this.complete) sink.end(undefined);
    else this.#events.proceed();
  }

  pause(): void {
    this.held = true;
  }

  resume(): void {
    if (!this.held) return;
    this.held = false;
    if (this.#state !== "over") this.#events.proceed();
  }

  observe(observer: ServerStreamObserver): void {
    this.#observer = observer;
  }

  closeAfter(): void {
    this.last = true;
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    if (status === 100) this.#continued = true;
    this.#events.output.latin1(writeInterimHead(status, headers));
  }

  respond(head: ResponseHead): void {
    if (this.#state !== "open") return;
    const { output } = this.#events;
    if (head.status === 101) {
      this.#state = "raw";
      this.complete = false;
      output.latin1(writeSwitchingHead(head.headers, this.#head.upgrade ?? ""));
      this.#events.switched();
      return;
    }
    if (this.ambiguous) this.last = true;
    const { method } = this.#head;
    output.latin1(writeResponseHead(head, method, this.last));
    const bare = method === "HEAD" || head.status === 304 || head.status === 204;
    this.#state = "answering";
    this.#writer = new BodyWriter(output, head.body, bare);
    if (head.body.kind === "none") this.end();
  }

  data(bytes: Buffer): boolean {
    if (this.#state === "raw") {
      this.#events.output.bytes(bytes);
      return this.#events.output.pending < FULL_BYTES;
    }
    return this.#state === "answering" && this.#writer !== undefined ? this.#writer.data(bytes) : false;
  }

  end(): void {
    if (this.#state === "raw") {
      this.#state = "answered";
      this.#events.output.end();
      this.#events.answered(true);
    } else if (this.#state === "answering") {
      const sound = this.#writer?.end() ?? false;
      this.#state = "answered";
      this.#events.answered(sound);
    }
  }

  reset(_cause: ResetCause): void {
    if (this.#state !== "over") this.#events.abandoned();
  }

  /** Tells its observer; nothing that is asked of it does anything after. */
  close(complete: boolean): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#sink = undefined;
    this.#observer?.closed(complete);
    this.#observer = undefined;
  }
}
