import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { TestCertificate } from "./test-certificates.ts";

/** What an echo application says of a request that reached it. */
export interface Echo {
  readonly app: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Where the request came from and where it arrived, as the application's kernel has it. */
  readonly from: string;
  readonly at: string;
  /** Of a POST. */
  readonly body?: string;
}

/** An application of the test's own process on its simulated host. */
export interface EchoApp extends AsyncDisposable {
  /** Requests, or TCP connections, so far. */
  readonly taken: () => number;
}

/** Requests that were failed on purpose, by `key`: common to all applications, for a retry goes to another one. */
export class Failures {
  readonly #left = new Map<string, number>();

  /** True while fewer than `first` requests with this key have failed. */
  fails(key: string, first: number): boolean {
    const left = this.#left.get(key) ?? first;
    this.#left.set(key, Math.max(0, left - 1));
    return left > 0;
  }
}

/**
 * Answers with its name and the request as it came. `port` 0: `address` is the path of a unix socket. The query may ask for more: `status=404`, `delayMs=500`, and
 * `failFirst=2&key=k` for a 503 to the first two requests with that key.
 */
export async function startHttpEcho(
  name: string,
  address: string,
  port: number,
  failures: Failures,
): Promise<EchoApp> {
  let taken = 0;
  const server = createServer((request, response) => {
    taken += 1;
    answer(name, request, response, failures).catch((error: unknown) => response.destroy(error as Error));
  });
  return serving(server, address, port, () => taken);
}

/** Answers over HTTP/2 without TLS, as the one over HTTP/1.1 does, and does nothing else that is asked for. */
export async function startHttp2Echo(name: string, address: string, port: number): Promise<EchoApp> {
  let taken = 0;
  const server = createHttp2Server((request, response) => {
    taken += 1;
    request.resume();
    const { method, url, headers, socket } = request;
    const at = `${socket.localAddress}:${socket.localPort}`;
    const echo: Echo = { app: name, method, path: url, headers, from: socket.remoteAddress ?? "", at };
    response.writeHead(200, { "content-type": "application/json", "x-echo-app": name });
    response.end(JSON.stringify(echo));
  });
  return serving(server, address, port, () => taken);
}

/** Says its name once a connection is there and something was sent, then every byte it gets. */
export async function startTcpEcho(name: string, address: string, port: number): Promise<EchoApp> {
  let taken = 0;
  const server = createTcpServer((socket) => {
    taken += 1;
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write(`${name}\n`));
    socket.pipe(socket);
  });
  return serving(server, address, port, () => taken);
}

/** The same, but says its name as soon as a connection is there: a protocol in which the server speaks first. */
export async function startGreeter(name: string, address: string, port: number): Promise<EchoApp> {
  let taken = 0;
  const server = createTcpServer((socket) => {
    taken += 1;
    socket.on("error", () => undefined);
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  return serving(server, address, port, () => taken);
}

/** The TCP one, behind TLS of its own. */
export async function startTlsEcho(
  name: string,
  address: string,
  port: number,
  { pem, keyPem }: TestCertificate,
): Promise<EchoApp> {
  let taken = 0;
  const server = createTlsServer({ cert: pem, key: keyPem }, (socket) => {
    taken += 1;
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write(`${name}\n`));
    socket.pipe(socket);
  });
  return serving(server, address, port, () => taken);
}

async function answer(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  failures: Failures,
): Promise<void> {
  const { method = "", headers, url: path = "/" } = request;
  const query = new URL(path, "http://echo").searchParams;
  const body = method === "POST" ? await text(request) : undefined;
  request.resume();
  const delayMs = Number(query.get("delayMs") ?? 0);
  if (delayMs > 0) await delay(delayMs);
  const key = query.get("key");
  const failed = key !== null && failures.fails(key, Number(query.get("failFirst") ?? 0));
  const { remoteAddress = "", localAddress = "", localPort = 0 } = request.socket;
  const echo: Echo = {
    app: name,
    method,
    path,
    headers,
    from: remoteAddress,
    at: `${localAddress}:${localPort}`,
    ...(body !== undefined && { body }),
  };
  response.writeHead(failed ? 503 : Number(query.get("status") ?? 200), {
    "content-type": "application/json",
    "x-echo-app": name,
  });
  response.end(JSON.stringify(echo));
}

async function serving(server: Server, address: string, port: number, taken: () => number): Promise<EchoApp> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  if (port === 0) server.listen(address);
  else server.listen(port, address);
  await once(server, "listening");
  return {
    taken,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
