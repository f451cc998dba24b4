import type { Socket } from "node:net";
import type { RefusedRequest, RequestHead, ServerSession, ServerStream } from "../../codec/stream.ts";
import type { HttpConnectionManager } from "../../model/listener.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { CompiledLogs } from "../../telemetry/access-log/compiled-logs.ts";
import { SocketWire } from "../../transport/socket-wire.ts";
import { breakOff } from "../break-off.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { newRecord } from "./accept-request.ts";
import { isHttp2 } from "./called-as.ts";
import { type CompiledManager, compileManager } from "./compiled-manager.ts";
import { Exchange } from "./exchange.ts";
import { serveRequest } from "./serve-request.ts";
import { protocolOf, serveConnection } from "./server-protocols.ts";

/**
 * Serves HTTP on connections that were accepted elsewhere. A new configuration holds from the next request on, also on
 * connections that are there.
 */
export class HttpFront {
  readonly #deps: DataPathDeps;
  readonly #sessions = new Set<ServerSession>();
  readonly #isDraining = (): boolean => this.#draining;
  #manager: CompiledManager;
  #draining = false;

  /** `logs` are those of the model, and the caller's to release. */
  constructor(model: HttpConnectionManager, logs: CompiledLogs, deps: DataPathDeps) {
    this.#deps = deps;
    this.#manager = compileManager(model, logs, deps);
  }

  update(model: HttpConnectionManager, logs: CompiledLogs): void {
    const former = this.#manager;
    this.#manager = compileManager(model, logs, this.#deps);
    former.tracing?.release();
  }

  /** Nothing is served any more. */
  close(): void {
    this.#manager.tracing?.release();
  }

  get manager(): HttpConnectionManager {
    return this.#manager.model;
  }

  accept(socket: Socket, connection: Connection): void {
    const { model } = this.#manager;
    const wire = new SocketWire(socket, breakOff);
    let session: ServerSession | undefined;
    let isClosed = false;
    session = serveConnection(
      protocolOf(socket),
      wire,
      {
        request: (head, stream) => this.#serve(connection, head, stream),
        refused: (request, protocol) => this.#refused(connection, request, protocol),
        closed: () => {
          isClosed = true;
          if (session) this.#sessions.delete(session);
        },
      },
      {
        maxHeadBytes: model.maxRequestHeadersKb * 1024,
        headMs: model.requestHeadersTimeoutMs,
        requestMs: model.requestTimeoutMs,
        idleMs: model.idleTimeoutMs,
        alarms: this.#deps.alarms,
        codec: model.codec,
        http2: model.http2,
      },
    );
    if (isClosed) return;
    this.#sessions.add(session);
    // Its handshake took longer than the listener.
    if (this.#draining) session.drain();
  }

  /** From now on every answer closes its connection. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.drain();
  }

  closeIdle(): void {
    for (const session of this.#sessions) session.closeIdle();
  }

  #serve(connection: Connection, head: RequestHead, stream: ServerStream): void {
    const manager = this.#manager;
    if (head.expectsContinue) stream.inform(100, NO_HEADERS);
    const record = newRecord(head, connection, this.#deps);
    if (isHttp2(head)) record.protocol = "HTTP/2";
    // Any other upgrade, h2c among them, is a plain request without its Upgrade header.
    const upgrade =
      head.upgrade !== undefined && manager.model.upgrades.has(head.upgrade) ? head.upgrade : undefined;
    const parts = { head, stream, connection, manager, deps: this.#deps, record, upgrade };
    const exchange = new Exchange(parts, this.#isDraining);
    stream.observe(exchange);
    if (this.#draining) stream.closeAfter("draining");
    serveRequest(exchange);
  }

  /** What the codec has answered by itself is told like any other request. */
  #refused(
    connection: Connection,
    { method, target, status, detail }: RefusedRequest,
    protocol: "http1" | "http2",
  ): void {
    const record = newRecord(
      { method, target, authority: "", headers: NO_HEADERS, body: NO_BODY },
      connection,
      this.#deps,
    );
    record.status = status;
    record.protocol = protocol === "http2" ? "HTTP/2" : "HTTP/1.1";
    record.details = `${protocol}.${detail.replaceAll(" ", "_")}`;
    record.flags.add("DPE");
    this.#deps.observer.httpDone(record, 0, this.#manager.logs);
  }
}

const NO_HEADERS = new HeaderList();
const NO_BODY = { kind: "none" } as const;
