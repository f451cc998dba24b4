import { createServer } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A request as a parser has understood it, without what says its framing. */
export interface ReadMessage {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers: readonly string[];
  readonly body: string;
}

const FRAMING = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "expect",
  "te",
]);

/** What Node's own strict parser (llhttp) reads from a connection that brings these bytes and ends. */
export class NodeHttpParser {
  readonly #read = new WeakMap<object, ReadMessage[]>();
  readonly #server = createServer(
    { insecureHTTPParser: false, requireHostHeader: false },
    (request, response) => {
      const { method = "", url: target = "", rawHeaders, socket } = request;
      let body = "";
      request.on("error", () => {});
      request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
      request.on("end", () => {
        const headers = rawHeaders.filter(
          (_, index) => !FRAMING.has((rawHeaders[index - (index % 2)] ?? "").toLowerCase()),
        );
        const hosts = rawHeaders.filter(
          (_, index) => index % 2 === 1 && /^host$/i.test(rawHeaders[index - 1] ?? ""),
        );
        this.#read.get(socket)?.push({ method, target, host: hosts.join(), headers, body });
        response.end();
      });
    },
  );

  constructor() {
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    // Not at once: what was read before the error is told a little later.
    this.#server.on("clientError", (_error, socket) => setImmediate(() => socket.destroy()));
    // A request that wants to change protocols is an ordinary one to who does not.
    this.#server.on("checkContinue", (request, response) => this.#server.emit("request", request, response));
    // Nor does anybody have to refuse an expectation (RFC 9110 §10.1.1).
    this.#server.on("checkExpectation", (request, response) =>
      this.#server.emit("request", request, response),
    );
  }

  async read(text: string): Promise<readonly ReadMessage[]> {
    const messages: ReadMessage[] = [];
    const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    this.#read.set(connection, messages);
    const closed = new Promise((resolve) => connection.once("close", resolve));
    this.#server.emit("connection", connection as Socket);
    connection.push(Buffer.from(text, "latin1"));
    connection.push(null);
    await closed;
    return messages;
  }
}
