import type { BodySink, ClientStream, ResetCause, ResponseHead } from "../../codec/stream.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import { Alarm } from "../../transport/alarms.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Joins caller and upstream after both have changed to another protocol: back-pressure and half-close pass through,
 * the end of one side breaks the other off.
 */
export class UpgradedExchange implements BodySink {
  readonly #exchange: Exchange;
  readonly #upstream: ClientStream;
  readonly #idle = new Alarm(() => this.#breakOff({ kind: "limit", reason: "idle" }));

  /** `head` is the upstream's 101. */
  constructor(exchange: Exchange, head: ResponseHead, upstream: ClientStream) {
    this.#exchange = exchange;
    this.#upstream = upstream;
    const { record, stream, deps, manager } = exchange;
    record.status = 101;
    record.responseHeaders = head.headers;
    exchange.answered = true;
    this.#idle.set(deps.alarms, manager.model.streamIdleTimeoutMs);
    exchange.webSocketKey?.answer(head.headers);
    if (exchange.additions) applyEdits(head.headers, [exchange.additions], exchange);
    stream.respond(head);
    stream.receive({
      data: (bytes) => {
        record.bytesReceived += bytes.length;
        this.#idle.postpone();
        return upstream.data(bytes);
      },
      end: () => upstream.end(undefined),
      reset: (cause) => upstream.reset(cause),
    });
  }

  data(bytes: Buffer): boolean {
    this.#exchange.record.bytesSent += bytes.length;
    this.#idle.postpone();
    return this.#exchange.stream.data(bytes);
  }

  end(): void {
    this.#exchange.stream.end(undefined);
  }

  reset(cause: ResetCause): void {
    this.#exchange.stream.reset(cause);
  }

  /** The upstream takes more. */
  resume(): void {
    this.#exchange.stream.resume();
  }

  stop(): void {
    this.#idle.clear();
  }

  #breakOff(cause: ResetCause): void {
    this.#upstream.reset(cause);
    this.#exchange.stream.reset(cause);
  }
}
