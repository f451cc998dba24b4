import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { messageOf } from "../../../mesh/errors.ts";
import { endToEnd, without } from "./headers.ts";
import type { NomadTarget } from "./nomad-target.ts";

/** Passes a request on, and its answer back; both bodies are streams, at the pace of who reads them. */
export function passThrough(message: IncomingMessage, response: ServerResponse, target: NomadTarget): void {
  const framing = framingOf(message);
  const headers = without(endToEnd(message.rawHeaders), "expect", "content-length");
  const ask = target.open({
    method: message.method ?? "GET",
    path: message.url ?? "/",
    headers: [...headers, ...framing],
  });
  answerInto(response, ask, target);
  if (framing.length > 0) {
    // Not a pipeline: that would end the client's connection with Nomad's, and nobody would hear why.
    message.pipe(ask);
    message.once("close", () => {
      if (!message.complete) ask.destroy();
    });
  } else ask.end();
}

/** How the body ends, as the parser understood it; empty: there is none. */
function framingOf({ headers }: IncomingMessage): readonly string[] {
  if (headers["transfer-encoding"] !== undefined) return ["Transfer-Encoding", "chunked"];
  const length = headers["content-length"];
  return length === undefined ? [] : ["Content-Length", length];
}

/** Writes Nomad's answer into the response as it comes. Who goes away ends the other side. */
export function answerInto(response: ServerResponse, ask: ClientRequest, target: NomadTarget): void {
  response.once("close", () => ask.destroy());
  ask.once("response", (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, [...endToEnd(answer.rawHeaders)]);
    // The head of a stream counts before its first event.
    response.flushHeaders();
    pipeline(answer, response, () => {});
  });
  ask.on("error", (error) => {
    if (response.headersSent || response.destroyed) response.destroy();
    else refuse(response, 502, `Nomad at ${target.address} gave no answer: ${messageOf(error)}`);
  });
}

/** An answer of the admission's own, in the form of Nomad's: plain text. */
export function refuse(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(`lateen: ${text}\n`);
}

/** Passes on a request to speak another protocol (`nomad alloc exec`); afterwards bytes go both ways as they are. */
export function passUpgrade(
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  response: ServerResponse,
  target: NomadTarget,
): void {
  const ask = target.open({
    method: message.method ?? "GET",
    path: message.url ?? "/",
    headers: message.rawHeaders,
  });
  ask.once("upgrade", (answer, far, farHead) => {
    response.detachSocket(socket as Socket);
    socket.write(headOf(answer));
    socket.write(farHead);
    far.write(head);
    // Each side may end its half; one that is gone takes the other along.
    socket.pipe(far).once("close", () => socket.destroy());
    far.pipe(socket).once("close", () => far.destroy());
    far.on("error", () => far.destroy());
  });
  answerInto(response, ask, target);
  socket.once("close", () => ask.destroy());
  socket.on("error", () => socket.destroy());
  ask.end();
}

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
