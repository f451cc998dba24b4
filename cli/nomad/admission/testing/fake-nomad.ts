import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A request as it came to the fake. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

type Handler = (request: SeenRequest, response: ServerResponse, message: IncomingMessage) => void;

/** A Nomad that writes down what it is asked and answers as the test says. */
export class FakeNomad implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  /** Answers to exact paths, without the query; everything else gets an empty object. */
  readonly answers = new Map<string, Handler>();
  upgrade: ((socket: Duplex, head: Buffer, message: IncomingMessage) => void) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** At a port of loopback, or at the path of a socket. */
  static async start({
    tls,
    path,
  }: {
    readonly tls?: ServerOptions;
    readonly path?: string;
  } = {}): Promise<FakeNomad> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    const fake = new FakeNomad(server);
    server.on("connection", (socket: Socket) => {
      fake.#sockets.add(socket);
      socket.once("close", () => fake.#sockets.delete(socket));
    });
    server.on("request", (message, response) => void fake.#answer(message, response));
    server.on("upgrade", (message, socket, head) => {
      fake.seen.push({ ...seenOf(message), body: "" });
      if (fake.upgrade !== undefined) return fake.upgrade(socket, head, message);
      socket.end(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 17\r\n\r\nPermission denied",
      );
    });
    await new Promise<void>((resolve) => {
      if (path === undefined) server.listen(0, "127.0.0.1", resolve);
      else server.listen(path, resolve);
    });
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many it has now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** The only request of a method; the test fails when there is another. */
  only(method: string): SeenRequest {
    const [first, ...more] = this.seen.filter((request) => request.method === method);
    if (first === undefined || more.length > 0) throw new Error(`${more.length + 1} requests with ${method}`);
    return first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of message) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const request = { ...seenOf(message), body: Buffer.concat(chunks).toString("utf8") };
    this.seen.push(request);
    const handler = this.answers.get(request.url.split("?", 1)[0] ?? "");
    if (handler !== undefined) return handler(request, response, message);
    response.setHeader("X-Nomad-Index", "42");
    response.end("{}");
  }
}

function seenOf({ method = "", url = "", rawHeaders }: IncomingMessage): Omit<SeenRequest, "body"> {
  return { method, url, rawHeaders };
}
