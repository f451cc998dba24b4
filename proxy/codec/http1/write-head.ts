import { STATUS_CODES } from "node:http";
import type { HeaderList } from "../../tables/header-list.ts";
import { isTarget } from "../field-syntax.ts";
import type { BodyLength, RequestHead, ResponseHead } from "../stream.ts";

/** Methods of which nobody expects a body: they go without framing when they have none (RFC 9110 §8.6). */
const WITHOUT_BODY = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);

/** Said by the codec, and by nobody else. */
const FRAMING = new Set([
  "te",
  "host",
  "trailer",
  "upgrade",
  "connection",
  "keep-alive",
  "content-length",
  "proxy-connection",
  "transfer-encoding",
]);

/** A request as it goes out; throws for a target or authority that would be another request. */
export function writeRequestHead(head: RequestHead): string {
  const { method, authority, body, upgrade } = head;
  const target = method === "CONNECT" ? authority : head.target;
  if (!isVisible(target) || !isVisible(authority)) throw new Error("the request's target is not one");
  const start = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`;
  if (upgrade !== undefined)
    return `${start}${fieldLines(head.headers)}connection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`;
  const noBody = WITHOUT_BODY.has(method) ? "" : "content-length: 0\r\n";
  return `${start}${fieldLines(head.headers)}${bodyLine(body, noBody)}\r\n`;
}

const STATUS_LINES = new Map<number, string>();

function statusLine(status: number): string {
  let line = STATUS_LINES.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    // Three digits: there are no more than a thousand.
    STATUS_LINES.set(status, line);
  }
  return line;
}

/** An answer as it goes out; `last`: the connection closes after it. */
export function writeResponseHead(
  { status, headers, body }: ResponseHead,
  method: string,
  last: boolean,
): string {
  const bare = method === "HEAD" || status === 304 || status === 204;
  const noBody = bare ? announced(body) : "content-length: 0\r\n";
  const framing = status === 204 ? "" : bare ? headLine(body, noBody) : bodyLine(body, noBody);
  return `${statusLine(status)}${fieldLines(headers)}${framing}${last ? "connection: close\r\n" : ""}\r\n`;
}

export function writeInterimHead(status: number, headers: HeaderList): string {
  return `${statusLine(status)}${fieldLines(headers)}\r\n`;
}

export function writeSwitchingHead(headers: HeaderList, protocol: string): string {
  return `${statusLine(101)}${fieldLines(headers)}connection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`;
}

/** An answer to what is no request. */
export function writeRefusal(status: number): string {
  return `${statusLine(status)}connection: close\r\ncontent-length: 0\r\n\r\n`;
}

function bodyLine(body: BodyLength, noBody: string): string {
  switch (body.kind) {
    case "none":
      return noBody;
    case "sized":
      return `content-length: ${body.bytes}\r\n`;
    case "streamed":
      return "transfer-encoding: chunked\r\n";
    default:
      return body satisfies never;
  }
}

/** To HEAD: the framing that the body would have; a length that is not known is not told. */
function headLine(body: BodyLength, noBody: string): string {
  return body.kind === "sized" ? `content-length: ${body.bytes}\r\n` : body.kind === "none" ? noBody : "";
}

function announced(body: BodyLength): string {
  return body.kind === "none" && body.announced !== undefined ? `content-length: ${body.announced}\r\n` : "";
}

/** Names and values are free of line ends: `HeaderList` takes no others, and parsers give none. */
function fieldLines(headers: HeaderList): string {
  let lines = "";
  const { length } = headers;
  for (let index = 0; index < length; index++) {
    if (isFraming(headers.nameAt(index))) continue;
    lines += `${headers.writtenAt(index)}: ${headers.valueAt(index)}\r\n`;
  }
  return lines;
}

/** By the length first: most names have none of these. */
function isFraming(name: string): boolean {
  switch (name.length) {
    case 2:
    case 4:
    case 7:
    case 10:
    case 14:
    case 16:
    case 17:
      return FRAMING.has(name);
    default:
      return false;
  }
}

function isVisible(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (!isTarget(text.charCodeAt(index))) return false;
  return text.length > 0;
}
