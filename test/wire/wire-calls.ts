import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestOverTls } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Echo } from "./wire-apps.ts";
import type { HttpCall, TcpCall } from "./wire-case.ts";

const CALL_LIMIT_MS = 8_000;

/** A call's end as its caller sees it. */
export interface Answer {
  /** 0: there was none; `failure` says why. 200 for bytes that came back. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly failure: string;
  /** What the application said, when one was reached. */
  readonly echo: Echo | undefined;
  readonly tookMs: number;
}

type Ended = Omit<Answer, "tookMs">;

interface At {
  readonly address: string;
  readonly port: number;
  /** Of the caller. */
  readonly from: string | undefined;
}

/** One HTTP request on a connection of its own. Never throws. */
export async function httpCall(at: At, call: HttpCall, host: string): Promise<Answer> {
  return timed(call.http2 === true ? http2Ended(at, call, host) : httpEnded(at, call, host));
}

/** Bytes on a connection of its own, over TLS when a server name is given. Never throws. */
export async function tcpCall({ address, port, from }: At, call: TcpCall): Promise<Answer> {
  const { serverName, silent = false, offers } = call;
  const place = { host: address, port, noDelay: true, ...(from === undefined ? {} : { localAddress: from }) };
  const socket = serverName === undefined ? connect(place) : overTls(connect(place), serverName, offers);
  if (!silent) {
    socket.once(serverName === undefined ? "connect" : "secureConnect", () => socket.write("hello\n"));
  }
  return timed(bytesEnded(socket));
}

async function timed(ended: Promise<Ended>): Promise<Answer> {
  const start = performance.now();
  return { ...(await ended), tookMs: performance.now() - start };
}

function overTls(socket: Socket, servername: string, offers: TcpCall["offers"]): Socket {
  socket.on("error", () => undefined);
  return connectTls({ ...offers, socket, servername, rejectUnauthorized: false, ALPNProtocols: ["bytes"] });
}

const failed = (error: unknown): Ended => {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  const failure = code ?? message ?? String(error);
  return { status: 0, headers: {}, body: "", failure, echo: undefined };
};

async function httpEnded({ address, port, from }: At, call: HttpCall, host: string): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const send = call.tls === undefined ? request : requestOverTls;
  const asked = send(
    {
      ...call.tls,
      rejectUnauthorized: false,
      host: address,
      port,
      path: call.path ?? "/",
      method: call.method ?? "GET",
      headers: { host, ...call.headers },
      agent: false,
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
      ...(from === undefined ? {} : { localAddress: from }),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", (error) => resolve(failed(error)));
      response.on("end", () =>
        resolve(answered(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())),
      );
    },
  );
  asked.on("error", (error) => resolve(failed(error)));
  asked.end(call.body);
  return promise;
}

async function http2Ended({ address, port }: At, call: HttpCall, host: string): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const session = connectHttp2(`${call.tls === undefined ? "http" : "https"}://${address}:${port}`, {
    ...call.tls,
    rejectUnauthorized: false,
  });
  session.on("error", (error) => resolve(failed(error)));
  const { method = "GET", path = "/", headers: sent } = call;
  const stream = session.request({ ":method": method, ":path": path, ":authority": host, ...sent });
  stream.end(call.body);
  let headers: Answer["headers"] = {};
  let body = "";
  stream.on("response", (received) => {
    headers = received;
  });
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    body += text;
  });
  stream.on("error", (error) => resolve(failed(error)));
  stream.on("end", () => resolve(answered(Number(headers[":status"] ?? 0), headers, body)));
  const ended = await promise;
  session.close();
  return ended;
}

async function bytesEnded(socket: Socket): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  let text = "";
  socket.setTimeout(CALL_LIMIT_MS, () => socket.destroy(new Error("no answer in time")));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (!text.endsWith("\nhello\n")) return;
    resolve(answered(200, { "x-app": "bytes" }, text.slice(0, text.indexOf("\n"))));
  });
  socket.on("error", (error) => resolve(failed(error)));
  socket.on("close", () => resolve(failed(new Error("closed"))));
  const ended = await promise;
  socket.destroy();
  return ended;
}

function answered(status: number, headers: Answer["headers"], body: string): Ended {
  const echo = headers["x-app"] === undefined ? undefined : (JSON.parse(body) as Echo);
  return { status, headers, body, failure: "", echo };
}
