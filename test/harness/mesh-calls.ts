import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Echo } from "./mesh-apps.ts";

const CALL_LIMIT_MS = 10_000;

/** A call's end as its caller sees it. */
export interface Reply {
  /** 0: no HTTP answer at all; `failure` says why. */
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly elapsedMs: number;
  readonly failure: string;
  /** What the echo application said, when it was one that answered. */
  readonly echo: Echo | undefined;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One HTTP request on a connection of its own. Never throws. */
export async function httpCall(origin: string, path: string, options: CallOptions = {}): Promise<Reply> {
  const { hostname: written, port } = new URL(origin);
  const hostname = written.replace(/^\[|\]$/g, "");
  const start = performance.now();
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const failed = (error: Error): void =>
    resolve({ ...NOTHING, elapsedMs: performance.now() - start, failure: error.message || String(error) });
  const { method = "GET", headers = {}, body: sent } = options;
  const signal = AbortSignal.timeout(CALL_LIMIT_MS);
  const call = request({ hostname, port, path, method, headers, agent: false, signal }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", failed);
    response.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      resolve({
        status: response.statusCode ?? 0,
        body,
        headers: response.headers,
        elapsedMs: performance.now() - start,
        failure: "",
        echo: parseEcho(body, response.headers["x-echo-app"]),
      });
    });
  });
  call.on("error", failed);
  call.end(sent);
  return promise;
}

/** One HTTP/2 request with prior knowledge, on a connection of its own. Never throws. */
export async function http2Call(origin: string, authority: string | undefined): Promise<Reply> {
  const start = performance.now();
  const session = connectHttp2(origin);
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const failed = (error: Error): void => resolve({ ...NOTHING, failure: error.message || String(error) });
  session.on("error", failed);
  const call = session.request(authority === undefined ? {} : { ":authority": authority });
  call.setTimeout(CALL_LIMIT_MS, () => call.destroy(new Error("no answer in time")));
  let status = 0;
  let headers: Reply["headers"] = {};
  let body = "";
  call.on("response", ({ ":status": code = 0, ...rest }) => {
    status = code;
    headers = rest;
  });
  call.on("data", (chunk: Buffer) => {
    body += chunk.toString("utf8");
  });
  call.on("error", failed);
  call.on("close", () => failed(new Error("socket hang up")));
  call.on("end", () =>
    resolve({
      status,
      body,
      headers,
      elapsedMs: performance.now() - start,
      failure: "",
      echo: parseEcho(body, headers["x-echo-app"]),
    }),
  );
  call.end();
  const reply = await promise;
  session.destroy();
  return reply;
}

const NOTHING: Reply = { status: 0, body: "", headers: {}, elapsedMs: 0, failure: "", echo: undefined };

export function parseEcho(body: string, marker: unknown): Echo | undefined {
  return marker === undefined ? undefined : (JSON.parse(body) as Echo);
}

/** What a TCP peer got back: the name that the echo application said, or nothing with the reason. */
export interface TcpReply {
  readonly app: string | undefined;
  readonly echoed: string;
  readonly failure: string;
}

/**
 * Sends a text on a TCP connection of its own and reads until all of it has come back. `port` 0: `address` is the path of
 * a unix socket. Never throws.
 */
export async function tcpCall(address: string, port: number, text = "hello"): Promise<TcpReply> {
  return converse(connect(port === 0 ? { path: address } : { host: address, port }), text);
}

export interface TlsCaller {
  readonly cert?: string;
  readonly key?: string;
  readonly alpn?: readonly string[];
  /** Left out: the server is not verified. */
  readonly roots?: readonly string[];
}

/** What a server showed and answered to a TLS client. */
export interface TlsReply {
  /** The status line's code; 0 without an answer. */
  readonly status: number;
  readonly body: string;
  readonly failure: string;
  /** `subjectAltName` of the certificate that the server presented. */
  readonly serverNames: string;
  readonly serverSerial: string;
}

/** One HTTP/1.1 request over TLS, with whatever certificate the caller has. Never throws. */
export async function tlsCall(
  address: string,
  port: number,
  caller: TlsCaller,
  path = "/",
): Promise<TlsReply> {
  const socket = connectTls({
    host: address,
    port,
    rejectUnauthorized: caller.roots !== undefined,
    // Names are SPIFFE IDs; whose they are is the caller's matter.
    checkServerIdentity: () => undefined,
    ca: [...(caller.roots ?? [])],
    ALPNProtocols: [...(caller.alpn ?? ["istio"])],
    ...(caller.cert === undefined ? {} : { cert: caller.cert, key: caller.key ?? "" }),
  });
  let server: X509Certificate | undefined;
  socket.once("secureConnect", () => {
    server = socket.getPeerX509Certificate();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n`);
  });
  const { text, failure } = await readAll(socket, () => false);
  const [head = "", body = ""] = text.split("\r\n\r\n");
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0),
    body,
    failure,
    serverNames: server?.subjectAltName ?? "",
    serverSerial: server?.serialNumber ?? "",
  };
}

/** Sends a text once it is connected, and reads until all of it has come back. */
export async function converse(socket: Socket, text: string): Promise<TcpReply> {
  if (socket.connecting) socket.once("connect", () => socket.write(text));
  else socket.write(text);
  const { text: got, failure } = await readAll(socket, (all) => all.includes(`\n${text}`));
  const [app = "", ...rest] = got.split("\n");
  return { app: app === "" ? undefined : app, echoed: rest.join("\n"), failure };
}

async function readAll(
  socket: Socket,
  done: (text: string) => boolean,
): Promise<{ readonly text: string; readonly failure: string }> {
  let text = "";
  let failure = "";
  const limit = setTimeout(() => socket.destroy(new Error("no answer in time")), CALL_LIMIT_MS);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
    if (done(text)) socket.end();
  });
  socket.on("error", (error) => {
    failure = error.message;
  });
  await once(socket, "close").catch(() => undefined);
  clearTimeout(limit);
  return { text, failure };
}
