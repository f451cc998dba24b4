import { FULL_BYTES, type Output } from "../../transport/wire.ts";
import type { ClientStream, RequestHead, ResetCause, ResponseReceiver } from "../stream.ts";
import { BodyWriter } from "./body-writer.ts";

/** What the connection of a request is told of it. */
export interface RequestEvents {
  readonly output: Output;
  /** The whole request is written; `sound`: it is what its head has said. */
  sent(sound: boolean): void;
  /** The answer's receiver takes more. */
  proceed(): void;
  /** The request is given up. */
  abandoned(): void;
}

/** One request on an HTTP/1.1 connection to a server. Inert once it is `over`. */
export class Http1ClientStream implements ClientStream {
  readonly method: string;
  readonly upgrade: string | undefined;
  readonly receiver: ResponseReceiver;
  readonly #events: RequestEvents;
  readonly #writer: BodyWriter;
  #state: "sending" | "raw" | "sent" | "over";
  /** The receiver holds the sender back. */
  held = false;

  constructor(events: RequestEvents, head: RequestHead, receiver: ResponseReceiver) {
    this.method = head.method;
    this.upgrade = head.upgrade;
    this.receiver = receiver;
    this.#events = events;
    this.#writer = new BodyWriter(events.output, head.body);
    this.#state = head.body.kind === "none" ? "sent" : "sending";
  }

  /** The whole request is written. */
  get sent(): boolean {
    return this.#state !== "sending" && this.#state !== "raw";
  }

  /** From here on bytes go both ways. */
  switch(): void {
    this.#state = "raw";
  }

  close(): void {
    this.#state = "over";
  }

  data(bytes: Buffer): boolean {
    const { output } = this.#events;
    if (this.#state === "raw") {
      output.bytes(bytes);
      return output.pending < FULL_BYTES;
    }
    return this.#state === "sending" && this.#writer.data(bytes);
  }

  end(): void {
    if (this.#state === "raw") {
      this.#state = "sent";
      this.#events.output.end();
      this.#events.sent(true);
    } else if (this.#state === "sending") {
      this.#state = "sent";
      this.#events.sent(this.#writer.end());
    }
  }

  reset(_cause: ResetCause): void {
    if (this.#state !== "over") this.#events.abandoned();
  }

  pause(): void {
    this.held = true;
  }

  resume(): void {
    if (!this.held) return;
    this.held = false;
    if (this.#state !== "over") this.#events.proceed();
  }
}
