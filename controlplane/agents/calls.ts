import { on, once } from "node:events";
import {
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { type CallStatus, toStatus } from "./status.ts";

/** The part of a streaming call that all kinds share. */
interface StreamingCall {
  once(event: "cancelled" | "close", listener: () => void): unknown;
  emit(event: "error", status: CallStatus): boolean;
  end(): unknown;
}

interface Sink<S> extends NodeJS.EventEmitter {
  write(message: S): boolean;
}

const STOPPING: CallStatus = { code: status.UNAVAILABLE, details: "the server is stopping" };

/** A unary handler from a function that answers or throws. */
export function unary<Q, S>(
  log: Logger,
  work: (call: ServerUnaryCall<Q, S>) => Promise<S>,
): handleUnaryCall<Q, S> {
  return (call, callback) => {
    void answerWith(call, callback, log, work);
  };
}

/**
 * A streaming handler from a function that runs until its signal is aborted: when the caller is gone, or when the
 * server stops (then the caller is told so). It may throw.
 */
export function streaming<C extends StreamingCall>(
  log: Logger,
  stop: AbortSignal,
  work: (call: C, signal: AbortSignal) => Promise<void>,
): (call: C) => void {
  return (call) => {
    void serveStream(call, log, stop, work);
  };
}

/** The caller's messages, one after the other; each is handled before the next is read. Ends when the caller does. */
export async function* messagesOf<Q, S>(
  call: ServerDuplexStream<Q, S>,
  signal: AbortSignal,
): AsyncGenerator<Q, void> {
  const options = { signal, close: ["end", "close"], highWaterMark: 2, lowWaterMark: 1 };
  for await (const [message] of on(call, "data", options)) yield message as Q;
}

/** Writes one message and waits until the stream takes more. Throws when the signal is aborted meanwhile. */
export async function send<S>(call: Sink<S>, message: S, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!call.write(message)) await once(call, "drain", { signal });
}

interface BufferedSink<S> extends Sink<S> {
  readonly writableNeedDrain: boolean;
}

/** Answers of which only the newest counts: a caller that reads slowly gets that one, not all. */
export class NewestAnswer<S> {
  readonly #call: BufferedSink<S>;
  #waiting: S | undefined;

  constructor(call: BufferedSink<S>) {
    this.#call = call;
  }

  /** Writes it, or keeps it until the stream takes more. */
  put(answer: S): void {
    if (!this.#call.writableNeedDrain) {
      this.#call.write(answer);
      return;
    }
    if (this.#waiting === undefined) this.#call.once("drain", () => this.#flush());
    this.#waiting = answer;
  }

  /** Waits until the stream takes more. Throws when the signal is aborted meanwhile. */
  async taken(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#call.writableNeedDrain) await once(this.#call, "drain", { signal });
  }

  #flush(): void {
    const answer = this.#waiting;
    this.#waiting = undefined;
    if (answer !== undefined) this.put(answer);
  }
}

/** The peer's address without its port. */
export function peerAddress(call: { getPeer(): string }): string {
  const peer = call.getPeer();
  const colon = peer.lastIndexOf(":");
  return colon === -1 ? peer : peer.slice(0, colon).replace(/^\[|\]$/g, "");
}

async function answerWith<Q, S>(
  call: ServerUnaryCall<Q, S>,
  callback: sendUnaryData<S>,
  log: Logger,
  work: (call: ServerUnaryCall<Q, S>) => Promise<S>,
): Promise<void> {
  let answer: S;
  try {
    answer = await work(call);
  } catch (error) {
    callback(describe(error, log));
    return;
  }
  callback(null, answer);
}

async function serveStream<C extends StreamingCall>(
  call: C,
  log: Logger,
  stop: AbortSignal,
  work: (call: C, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  call.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, stop]);
  let failure: unknown;
  try {
    await work(call, signal);
  } catch (error) {
    failure = error;
  }
  if (gone.signal.aborted) return;
  if (stop.aborted) call.emit("error", STOPPING);
  else if (failure !== undefined) call.emit("error", describe(failure, log));
  else call.end();
}

function describe(error: unknown, log: Logger): CallStatus {
  const answer = toStatus(error);
  if (answer.code === status.INTERNAL) log.error("call failed", { reason: messageOf(error) });
  return answer;
}
