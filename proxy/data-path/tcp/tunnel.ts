import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { BodyReader } from "../../codec/http1/body-reader.ts";
import { HeadReader } from "../../codec/http1/head-reader.ts";
import { readResponseHead } from "../../codec/http1/response-head.ts";
import { writeRequestHead } from "../../codec/http1/write-head.ts";
import type { Tunnel } from "../../model/listener.ts";
import { HeaderList } from "../../tables/header-list.ts";

const LARGEST_HEAD = 80 * 1024;

/**
 * Asks the HTTP proxy at the other end of a connection for a tunnel, and resolves with the bytes that go through it.
 * Rejects, with the connection closed, when the proxy does not answer 2xx within the time, or
 * the signal is aborted.
 */
export async function openTunnel(
  socket: Socket,
  { target, method }: Tunnel,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Duplex> {
  const head = writeRequestHead({
    method,
    target: "/",
    authority: target,
    scheme: undefined,
    upgrade: undefined,
    headers: new HeaderList(),
    body: { kind: method === "CONNECT" ? "none" : "streamed" },
    expectsContinue: false,
  });
  try {
    socket.write(head, "latin1");
    const { body, rest } = await answerOf(
      socket,
      method,
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    );
    // RFC 9110 §9.3.6: after a 2xx the connection is the tunnel. Of a POST each direction is a body.
    if (method !== "CONNECT") return new TwoBodies(socket, body, rest);
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface Opened {
  readonly body: BodyReader;
  /** What came with the head. */
  readonly rest: Buffer;
}

/** Reads the head of the answer; the socket is paused behind it. Rejects for any but 2xx. */
async function answerOf(socket: Socket, method: string, signal: AbortSignal): Promise<Opened> {
  const { promise, resolve, reject } = Promise.withResolvers<Opened>();
  const heads = new HeadReader(LARGEST_HEAD);
  const closed = (): void => reject(new Error("the proxy closed the connection"));
  const late = (): void => reject(new Error("no answer in time"));
  const read = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; at = heads.next) {
      const text = heads.read(chunk, at);
      if (heads.problem !== undefined) reject(new Error(`the proxy's answer: ${heads.problem}`));
      if (text === undefined) return;
      const answer = readResponseHead(text, method);
      if (!answer.ok) return reject(new Error(`the proxy's answer: ${answer.reason}`));
      const { status, body } = answer.head;
      if (status < 200 && status !== 101) continue;
      if (status < 200 || status >= 300)
        return reject(new Error(`the proxy answered ${status} when asked for a tunnel`));
      socket.pause();
      socket.off("data", read);
      return resolve({ body: new BodyReader(body, answer.untilClose), rest: chunk.subarray(heads.next) });
    }
  };
  socket.on("data", read);
  socket.on("end", closed);
  socket.on("close", closed);
  signal.addEventListener("abort", late, { once: true });
  if (signal.aborted) late();
  try {
    return await promise;
  } finally {
    socket.off("data", read);
    socket.off("end", closed);
    socket.off("close", closed);
    signal.removeEventListener("abort", late);
  }
}

/** A request and its answer, whose bodies are the two directions of a tunnel. */
class TwoBodies extends Duplex {
  readonly #socket: Socket;
  readonly #body: BodyReader;
  #isOver = false;

  constructor(socket: Socket, body: BodyReader, rest: Buffer) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#body = body;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    // Only a body that is told by nothing else ends with its connection.
    socket.on("end", () => (body.over || body.untilClose ? this.#end() : this.destroy()));
    socket.on("close", () => this.destroy());
    if (rest.length > 0) this.#take(rest);
    if (body.over) this.#end();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(chunk);
    this.#socket.write("\r\n", "latin1", done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.write("0\r\n\r\n", "latin1", done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isOver; at = this.#body.next) {
      const piece = this.#body.read(chunk, at);
      if (this.#body.problem !== undefined) {
        this.destroy(new Error(`the proxy's answer: ${this.#body.problem}`));
        return;
      }
      if (piece !== undefined && !this.push(piece)) this.#socket.pause();
      if (this.#body.over) this.#end();
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.push(null);
  }
}
