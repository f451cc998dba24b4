import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { HttpConnectionManager } from "../../model/listener.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { type CompiledManager, compileManager } from "./compiled-manager.ts";
import { type Exchange, newRecord, replyLocally } from "./exchange.ts";
import { serveRequest } from "./serve-request.ts";

const CHECK_INTERVAL_MS = 1000;
/** Envoy's default; more are answered with 431. */
const MOST_HEADERS = 100;

/**
 * Speaks HTTP/1.1 on connections that were accepted elsewhere. A new configuration holds from the next request on,
 * also on connections that are there.
 */
export class HttpFront {
  readonly #deps: DataPathDeps;
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, Connection>();
  /** The newest answer on each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();
  #manager: CompiledManager;
  #draining = false;

  constructor(model: HttpConnectionManager, deps: DataPathDeps) {
    this.#deps = deps;
    this.#manager = compileManager(model);
    this.#server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: model.maxRequestHeadersKb * 1024,
      headersTimeout: model.requestHeadersTimeoutMs,
      requestTimeout: model.requestTimeoutMs,
      keepAliveTimeout: model.idleTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      noDelay: true,
      // Any other upgrade, h2c among them, is a plain request without its Upgrade header.
      shouldUpgradeCallback: (request) => this.#upgradeOf(request) !== undefined,
    });
    this.#server.maxHeadersCount = MOST_HEADERS;
    this.#server.on("error", () => {});
    this.#server.on("request", (request, response) => this.#serve(request, response, undefined));
    this.#server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      response.writeContinue();
      this.#serve(request, response, undefined);
    });
    this.#server.on("upgrade", (request, socket, head) => this.#serveUpgrade(request, socket, head));
    this.#server.on("connect", (_request, socket) => refuseConnect(socket));
    this.#server.on("clientError", (error, socket) => this.#refuseBroken(error, socket));
    // Time limits are checked for servers that listen; this one is handed its connections.
    this.#server.emit("listening");
  }

  update(model: HttpConnectionManager): void {
    this.#manager = compileManager(model);
  }

  get manager(): HttpConnectionManager {
    return this.#manager.model;
  }

  accept(socket: Socket, connection: Connection): void {
    this.#connections.set(socket, connection);
    this.#server.emit("connection", socket);
  }

  /** From now on every answer closes its connection. */
  drain(): void {
    this.#draining = true;
  }

  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  /** Stops the checks of time limits; connections that are there are the listener's to close. */
  close(): void {
    this.#server.close(() => {});
  }

  #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket);
    response.on("finish", () => socket.end());
    const protocol = this.#upgradeOf(request);
    this.#serve(request, response, protocol === undefined ? undefined : { protocol, head });
  }

  /** What the parser refused. Nothing that follows on such a connection is believed. */
  #refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
    const current = this.#answers.get(socket);
    const answering = current !== undefined && current.headersSent && !current.writableFinished;
    if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
    else if (answering) (socket as Socket).destroySoon();
    else {
      const status = STATUS_OF_ERROR.get(error.code ?? "") ?? "400 Bad Request";
      const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
      socket.end(head, () => socket.destroy());
    }
  }

  #upgradeOf(request: IncomingMessage): string | undefined {
    const protocol = request.headers.upgrade?.toLowerCase();
    const hasBody =
      request.headers["transfer-encoding"] !== undefined ||
      (request.headers["content-length"] ?? "0") !== "0";
    return protocol !== undefined && !hasBody && this.#manager.model.upgrades.has(protocol)
      ? protocol
      : undefined;
  }

  #serve(request: IncomingMessage, response: ServerResponse, upgrade: Exchange["upgrade"]): void {
    request.on("error", () => {});
    response.on("error", () => {});
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    this.#answers.set(request.socket, response);
    const exchange = this.#exchange(request, response, connection, upgrade);
    // The last resort: a defect here costs this request, not the process.
    serveRequest(exchange)
      .catch(() => replyLocally(exchange, { status: 500, details: "internal", close: true }))
      .finally(() => (upgrade ? this.#done(exchange) : undefined));
  }

  #exchange(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
    upgrade: Exchange["upgrade"],
  ): Exchange {
    const gone = new AbortController();
    const draining = (): boolean => this.#draining;
    const exchange: Exchange = {
      request,
      response,
      connection,
      manager: this.#manager,
      deps: this.#deps,
      record: newRecord(request, connection, this.#deps),
      gone: gone.signal,
      upgrade,
      additions: undefined,
      get closing() {
        return draining();
      },
    };
    response.on("close", () => {
      if (!response.writableFinished) {
        if (exchange.record.flags.size === 0) exchange.record.flags.add("DC");
        gone.abort();
      }
      if (upgrade === undefined) this.#done(exchange);
    });
    if (upgrade) request.socket.on("close", () => gone.abort());
    return exchange;
  }

  #done({ record, manager }: Exchange): void {
    const { clock, observer } = this.#deps;
    observer.httpDone(record, clock.monotonic() - record.startedMonotonic, manager.model.accessLog);
  }
}

function refuseConnect(socket: Duplex): void {
  socket.on("error", () => {});
  socket.end("HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}

const STATUS_OF_ERROR = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);
