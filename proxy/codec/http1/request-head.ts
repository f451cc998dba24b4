import { isAuthority, isDigit, isTarget, isToken, METHODS, SPACE } from "../field-syntax.ts";
import type { BodyLength, RequestHead } from "../stream.ts";
import { type Fields, readConnection, readFields } from "./fields.ts";

export type ReadRequest =
  | {
      readonly ok: true;
      readonly head: RequestHead;
      /** The connection is for this request only. */
      readonly last: boolean;
    }
  | {
      readonly ok: false;
      readonly method: string;
      readonly target: string;
      readonly status: 400 | 405 | 417 | 426 | 431 | 501;
      readonly detail: string;
    };

type Refusal = Extract<ReadRequest, { ok: false }>;

/** Envoy's default. */
const MOST_HEADERS = 100;
const LINE_END = "\r\n";
const LONGEST_LENGTH = 15;
const NO_BODY: BodyLength = { kind: "none" };
const STREAMED: BodyLength = { kind: "streamed" };

/**
 * Reads the head of a request (RFC 9112 §3, §6). An allow-list: what two servers could read in two ways is refused, and
 * what passes is known well enough to be written anew.
 */
export function readRequestHead(text: string): ReadRequest {
  const end = text.indexOf(LINE_END);
  let index = 0;
  while (isToken(text.charCodeAt(index))) index++;
  const method = text.slice(0, index);
  if (text.charCodeAt(index) !== SPACE || !METHODS.has(method)) return refuse("", "", 400, "method");
  const start = ++index;
  while (isTarget(text.charCodeAt(index))) index++;
  const target = text.slice(start, index);
  if (text.charCodeAt(index) !== SPACE || index === start) return refuse(method, "", 400, "request target");
  const version = text.slice(index + 1, end);
  if (version === "HTTP/1.0") return refuse(method, target, 426, "http version");
  if (version !== "HTTP/1.1") return refuse(method, target, 400, "http version");
  const fields = readFields(text, end + 2, MOST_HEADERS);
  if (typeof fields === "string")
    return refuse(method, target, fields === "too many headers" ? 431 : 400, fields);
  return readMessage(method, target, fields);
}

function readMessage(method: string, written: string, fields: Fields): ReadRequest {
  const body = bodyOf(fields);
  if (!("kind" in body)) return refuse(method, written, body.status, body.detail);
  if (fields.hosts !== 1 || !isAuthority(fields.host)) return refuse(method, written, 400, "host");
  if (method === "CONNECT") return refuse(method, written, 405, "method");
  const target = originForm(method, written, fields.host);
  if (target === undefined) return refuse(method, written, 400, "request target");
  if (fields.expect !== "" && fields.expect.toLowerCase() !== "100-continue")
    return refuse(method, written, 417, "expect");
  const { close, upgrade } = readConnection(fields);
  return {
    ok: true,
    last: close,
    head: {
      method,
      target,
      authority: fields.host,
      scheme: undefined,
      upgrade: upgrade && body.kind === "none" ? protocolOf(fields.upgrade) : undefined,
      headers: fields.headers,
      body,
      expectsContinue: fields.expect !== "",
    },
  };
}

/** RFC 9112 §6.3, without the leniency: exactly `chunked` or one length, and never both. */
function bodyOf({
  codings,
  coding,
  lengths,
  length,
}: Fields): BodyLength | Pick<Refusal, "status" | "detail"> {
  if (codings > 0) {
    if (lengths > 0) return { status: 400, detail: "content-length with transfer-encoding" };
    if (codings > 1 || coding.toLowerCase() !== "chunked")
      return { status: 501, detail: "transfer-encoding" };
    return STREAMED;
  }
  if (lengths === 0) return NO_BODY;
  const bytes = lengths === 1 ? readLength(length) : undefined;
  if (bytes === undefined) return { status: 400, detail: "content-length" };
  return bytes === 0 ? NO_BODY : { kind: "sized", bytes };
}

/** Digits and nothing else; undefined when it is no length, or one beyond what a number holds exactly. */
export function readLength(text: string): number | undefined {
  if (text.length === 0 || text.length > LONGEST_LENGTH) return undefined;
  for (let index = 0; index < text.length; index++) if (!isDigit(text.charCodeAt(index))) return undefined;
  return Number(text);
}

/** Of `http://host/path` the path, where the host is the one of the Host header. */
function originForm(method: string, target: string, host: string): string | undefined {
  if (target.startsWith("/")) return target;
  if (target === "*") return method === "OPTIONS" ? target : undefined;
  const match = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (match?.[1]?.toLowerCase() !== host.toLowerCase()) return undefined;
  const rest = match[2] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** One protocol; a choice of several is none. */
function protocolOf(upgrade: string): string | undefined {
  return upgrade === "" || upgrade.includes(",") ? undefined : upgrade.toLowerCase();
}

function refuse(method: string, target: string, status: Refusal["status"], detail: string): Refusal {
  return { ok: false, method, target, status, detail };
}
