import type { BodySource, RequestHead, ServerStream, ServerStreamObserver } from "../../codec/stream.ts";
import type { CompiledEdits, LiteralEdit } from "../../tables/header-edits.ts";
import type { HttpRecord } from "../../telemetry/records.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import type { CompiledManager } from "./compiled-manager.ts";
import type { WebSocketKey } from "./websocket-key.ts";

/** Who carries the answer from an upstream. */
export interface Bearer {
  /** The caller takes more of the answer. */
  writable(): void;
  /** The caller is gone, or has got everything. */
  gone(): void;
}

/** One request with everything that is known of it. */
export class Exchange implements ServerStreamObserver {
  readonly head: RequestHead;
  readonly stream: ServerStream;
  /** Where the request's body comes from: the stream, or a filter that has held its beginning. */
  body: BodySource;
  readonly connection: Connection;
  readonly manager: CompiledManager;
  readonly deps: DataPathDeps;
  readonly record: HttpRecord;
  /** The protocol that the caller wants to change to, where the listener allows it. */
  readonly upgrade: string | undefined;
  readonly #isClosing: () => boolean;
  /** What filters put into whatever answers; undefined: nothing. */
  additions: CompiledEdits | undefined;
  /** Of an upgrade to WebSocket, once it is on its way. */
  webSocketKey: WebSocketKey | undefined;
  bearer: Bearer | undefined;
  /** The head of an answer has been sent. */
  answered = false;
  /** The whole request has come. */
  complete: boolean;
  /** Nobody waits for an answer any more. */
  over = false;
  #gone: AbortController | undefined;

  constructor(
    parts: Pick<Exchange, "head" | "stream" | "connection" | "manager" | "deps" | "record" | "upgrade">,
    isClosing: () => boolean,
  ) {
    this.head = parts.head;
    this.stream = parts.stream;
    this.body = parts.stream;
    this.connection = parts.connection;
    this.manager = parts.manager;
    this.deps = parts.deps;
    this.record = parts.record;
    this.upgrade = parts.upgrade;
    this.complete = parts.head.body.kind === "none";
    this.#isClosing = isClosing;
  }

  /** True while the listener is being drained: the answer closes the connection. */
  get closing(): boolean {
    return this.#isClosing();
  }

  /** Aborted when the caller has gone away; made for those who wait for something. */
  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.over) this.#gone.abort();
    return this.#gone.signal;
  }

  /** Sees to it that whatever answers has these headers. */
  addToAnswer(headers: readonly LiteralEdit[]): void {
    if (headers.length === 0) return;
    this.additions = { remove: [], add: [...(this.additions?.add ?? []), ...headers] };
  }

  /** The last of the request has come. */
  takenWhole(): void {
    this.complete = true;
    this.record.requestMs ??= this.nowMs() - this.record.startedMonotonic;
  }

  nowMs(): number {
    return this.deps.clock.monotonic();
  }

  writable(): void {
    this.bearer?.writable();
  }

  closed(complete: boolean): void {
    const { record, deps, manager } = this;
    this.over = true;
    if (!complete && record.flags.size === 0) record.flags.add("DC");
    this.bearer?.gone();
    this.#gone?.abort();
    const durationMs = deps.clock.monotonic() - record.startedMonotonic;
    manager.tracing?.end(record, durationMs);
    deps.observer.httpDone(record, durationMs, manager.logs);
  }
}
