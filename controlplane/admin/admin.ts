import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { FastifyInstance } from "fastify";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Credentials } from "./access/authenticator.ts";
import { LOOPBACK_HOSTS } from "./access/origin.ts";
import { buildApi } from "./api.ts";
import { type Door, networkDoor, SOCKET_DOOR } from "./door.ts";
import type { AdminDeps } from "./ports.ts";
import { prepareSocketPath, protectSocket } from "./unix-socket.ts";

/** Node's defaults are minutes. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 5_000 };
const HANDSHAKE_TIMEOUT_MS = 5_000;
const MOST_CONNECTIONS = 256;

/** The admin REST: DESIGN §6, "Admin surface". Dispose of it to stop listening and to end what waits. */
export interface Admin extends AsyncDisposable {
  /** For the CLI on the server's own host: no credential beyond the right to open the socket. */
  listenUnix(path: string): Promise<void>;
  /** For the console and a remote CLI: every call needs a credential, and beyond loopback there is TLS alone. */
  listenTcp(where: NetworkListener): Promise<AddressInfo>;
}

interface NetworkListener {
  readonly host: string;
  readonly port: number;
  /** Names by which the server may be called, beside its address and loopback's. */
  readonly names?: readonly string[];
  readonly tls?: AdminTls | undefined;
}

/** TLS 1.3, with what the listener presents now. */
export interface AdminTls {
  /** With `ca`, client certificates are asked for, and those of these authorities count as credentials. */
  readonly current: () => SecureContextOptions;
  /** Calls back when `current` has changed, until the signal is aborted. */
  readonly onChange: (listener: () => void, signal: AbortSignal) => void;
}

export interface AdminOptions {
  readonly credentials: Credentials;
  readonly audit: AuditLog;
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
}

export function createAdmin(deps: AdminDeps, options: AdminOptions): Admin {
  const { credentials, clock } = options;
  const closing = new AbortController();
  const servers: FastifyInstance[] = [];
  const open = (door: Door, tls?: AdminTls): FastifyInstance => {
    const createServer = (handler: RequestListener): Server => newServer(handler, tls, closing.signal);
    const server = buildApi({ ...options, deps, door, closing: closing.signal, createServer });
    servers.push(server);
    return server;
  };
  return {
    async listenUnix(path) {
      await prepareSocketPath(path);
      await listen(open(SOCKET_DOOR), { path });
      protectSocket(path);
    },
    async listenTcp({ host, port, names = [], tls }) {
      if (tls === undefined && !/^(127\.|::1$)/.test(host)) {
        throw new MeshError("config.invalid", `the admin API would listen on ${host} without TLS`, {
          hint: "use a loopback address; reach it from elsewhere through ssh -L 15015:127.0.0.1:15015",
        });
      }
      const hosts = [...LOOPBACK_HOSTS, host.includes(":") ? `[${host}]` : host, ...names];
      const server = open(networkDoor(credentials, hosts, clock), tls);
      await listen(server, { host, port });
      return server.server.address() as AddressInfo;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

function newServer(handler: RequestListener, tls: AdminTls | undefined, signal: AbortSignal): Server {
  if (tls === undefined) {
    const server = createHttpServer(TIMEOUTS, handler);
    server.maxConnections = MOST_CONNECTIONS;
    return server;
  }
  const asksForCertificate = tls.current().ca !== undefined;
  const server = createHttpsServer(
    {
      ...TIMEOUTS,
      ...tls.current(),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: asksForCertificate,
      // One that does not verify is no credential; the caller may have another.
      rejectUnauthorized: false,
    },
    handler,
  );
  server.maxConnections = MOST_CONNECTIONS;
  tls.onChange(() => server.setSecureContext(tls.current()), signal);
  return server;
}

async function listen(
  server: FastifyInstance,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  try {
    await server.listen(where);
  } catch (error) {
    const place = "path" in where ? where.path : `${where.host}:${where.port}`;
    throw new MeshError("config.invalid", `cannot listen on ${place}: ${messageOf(error)}`, {
      hint: `see what holds it: ss -ltnxp | grep ${"path" in where ? where.path : where.port}`,
      cause: error,
    });
  }
}
