import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import {
  createServer as createTlsServer,
  type ServerOptions as TlsOptions,
  type Server as TlsServer,
} from "node:https";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Gate } from "../../../mesh/blocking/gate.ts";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { AdmissionRules } from "./admit.ts";
import { classifyRequest } from "./classify.ts";
import { type AdmissionConfig, socketPath } from "./config.ts";
import { handleJob } from "./handle-job.ts";
import { namesFraming } from "./headers.ts";
import type { NomadTarget } from "./nomad-target.ts";
import { passThrough, passUpgrade, refuse } from "./relay.ts";

/** What may change while it runs. */
export interface CurrentSettings {
  readonly rules: AdmissionRules;
  readonly limits: AdmissionConfig["limits"];
  readonly target: NomadTarget;
  /** Undefined: no TLS. */
  readonly tls: TlsOptions | undefined;
}

/** The listener that clients take for Nomad. */
export interface AdmissionServer extends AsyncDisposable {
  /** Where it listens: `127.0.0.1:4645` or `unix:///run/…`. */
  readonly address: string;
  /** New certificates for connections to come. */
  useTls(tls: TlsOptions): void;
  /** No new connections; what is open may go on for `ms`. */
  drain(ms: number): Promise<void>;
}

const HEADERS_MS = 10_000;
/** For the upload of a snapshot; jobs have a limit of their own. */
const LONGEST_REQUEST_MS = 900_000;
const KEEP_ALIVE_MS = 30_000;

/** Listens at once. `current` is asked for each request. Throws `config.invalid` when it cannot listen. */
export async function startAdmission(
  address: string,
  current: () => CurrentSettings,
  logger: Logger,
): Promise<AdmissionServer> {
  const { tls, limits } = current();
  const options = {
    headersTimeout: HEADERS_MS,
    requestTimeout: LONGEST_REQUEST_MS,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    // Anything else that asks for another protocol is a request like any other, and judged like it.
    shouldUpgradeCallback: ({ method, headers }: IncomingMessage) =>
      method === "GET" && /^websocket$/i.test(headers.upgrade ?? ""),
  };
  const server: Server | TlsServer =
    tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls });
  server.maxConnections = limits.connections;
  const door = new Door(current, logger);
  server.on("request", (message: IncomingMessage, response: ServerResponse) =>
    door.request(message, response),
  );
  server.on("upgrade", (message: IncomingMessage, socket: Duplex, head: Buffer) =>
    door.upgrade(message, socket, head),
  );
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  const listening = await listen(server, address);
  const close = async (ms: number): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, ms);
    await closed;
    // A connection that speaks another protocol by now is not the server's any more.
    for (const socket of sockets) socket.destroy();
    clearTimeout(timer);
  };
  return {
    address: listening,
    useTls: (options) => {
      if ("setSecureContext" in server) server.setSecureContext(options);
    },
    drain: close,
    [Symbol.asyncDispose]: () => close(0),
  };
}

/** What becomes of each request. */
class Door {
  readonly #current: () => CurrentSettings;
  readonly #logger: Logger;
  readonly #versionsGate = new Gate(1);
  #judging = 0;

  constructor(current: () => CurrentSettings, logger: Logger) {
    this.#current = current;
    this.#logger = logger;
  }

  request(message: IncomingMessage, response: ServerResponse): void {
    const { target, rules, limits } = this.#current();
    if (namesFraming(message.rawHeaders)) return refuseFraming(response);
    const kind = classifyRequest(message.method ?? "", message.url ?? "");
    switch (kind) {
      case "pass":
        passThrough(message, response, target);
        return;
      case "unreadable":
        refuse(response, 400, "the path cannot be read", { Connection: "close" });
        return;
      case "job":
      case "revert": {
        if (this.#judging >= limits.jobs) {
          refuse(response, 503, "too many jobs at a time: try again", {
            Connection: "close",
            "Retry-After": "1",
          });
          return;
        }
        this.#judging += 1;
        handleJob(kind, message, response, {
          rules,
          limits,
          target,
          logger: this.#logger,
          versionsGate: this.#versionsGate,
        })
          .catch((error: unknown) => {
            this.#logger.error("a request about a job failed", { reason: messageOf(error) });
            refuse(response, 500, "it cannot be judged", { Connection: "close" });
          })
          .finally(() => {
            this.#judging -= 1;
          });
        return;
      }
      default:
        kind satisfies never;
    }
  }

  upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once("finish", () => socket.end());
    if (namesFraming(message.rawHeaders)) return refuseFraming(response);
    passUpgrade(message, socket, head, response, this.#current().target);
  }
}

function refuseFraming(response: ServerResponse): void {
  refuse(response, 400, "Connection names a header that the request cannot be without", {
    Connection: "close",
  });
}

async function listen(server: Server | TlsServer, address: string): Promise<string> {
  const path = socketPath(address);
  if (path !== undefined) await clearSocket(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  if (path === undefined) {
    const at = address.lastIndexOf(":");
    server.listen(Number(address.slice(at + 1)), address.slice(0, at).replace(/^\[|\]$/g, ""), resolve);
  } else server.listen(path, resolve);
  try {
    await promise;
  } catch (cause) {
    throw new MeshError("config.invalid", `listen at ${address}: ${messageOf(cause)}`, {
      cause,
      hint: "give listen.address a place that is free",
    });
  }
  server.off("error", reject);
  if (path !== undefined) {
    // Who may connect is for the directory to say; the API behind it has tokens of its own.
    chmodSync(path, 0o660);
    return address;
  }
  const bound = server.address();
  if (bound === null || typeof bound === "string") return address;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

/** What a killed admission left at the path goes; a socket that somebody answers at stays. */
async function clearSocket(path: string): Promise<void> {
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing === undefined) return;
  if (!existing.isSocket()) throw new MeshError("config.invalid", `${path} exists and is not a socket`);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
  if (answered) throw new MeshError("config.invalid", `another program is listening on ${path}`);
  rmSync(path);
}
