import { isDigit, isValue, SPACE } from "../field-syntax.ts";
import type { BodyLength, ResponseHead } from "../stream.ts";
import { type Fields, readConnection, readFields } from "./fields.ts";
import { readLength } from "./request-head.ts";

export type ReadResponse =
  | {
      readonly ok: true;
      readonly head: ResponseHead;
      /** The body ends with the connection. */
      readonly untilClose: boolean;
      /** The connection is not used again. */
      readonly last: boolean;
      /** Of 101: the protocol that follows. */
      readonly upgrade: string;
    }
  | { readonly ok: false; readonly reason: string };

const MOST_HEADERS = 1000;
const LINE_END = "\r\n";
const STATUS_AT = "HTTP/1.1 ".length;

/** Reads the head of an answer to a request of this method (RFC 9112 §4, §6.3). */
export function readResponseHead(text: string, method: string): ReadResponse {
  const end = text.indexOf(LINE_END);
  const modern = text.startsWith("HTTP/1.1 ");
  if (!modern && !text.startsWith("HTTP/1.0 ")) return { ok: false, reason: "status line of the response" };
  const status = readStatus(text, end);
  if (status === undefined) return { ok: false, reason: "status line of the response" };
  const fields = readFields(text, end + 2, MOST_HEADERS);
  if (typeof fields === "string") return { ok: false, reason: `${fields} of the response` };
  const body = bodyOf(fields, status, method, modern);
  if (typeof body === "string") return { ok: false, reason: body };
  const persistent = modern || fields.connection.toLowerCase() === "keep-alive";
  const { close } = readConnection(fields);
  const untilClose = body === UNTIL_CLOSE;
  return {
    ok: true,
    head: { status, headers: fields.headers, body },
    untilClose,
    last: close || untilClose || !persistent,
    upgrade: fields.upgrade.toLowerCase(),
  };
}

/** Three digits, then the end or a space and a phrase that nobody reads. */
function readStatus(text: string, end: number): number | undefined {
  const after = STATUS_AT + 3;
  for (let index = STATUS_AT; index < after; index++) if (!isDigit(text.charCodeAt(index))) return undefined;
  if (end !== after && text.charCodeAt(after) !== SPACE) return undefined;
  for (let index = after; index < end; index++) if (!isValue(text.charCodeAt(index))) return undefined;
  const status = Number(text.slice(STATUS_AT, after));
  return status >= 100 ? status : undefined;
}

const NO_BODY: BodyLength = { kind: "none" };
const STREAMED: BodyLength = { kind: "streamed" };
const UNTIL_CLOSE: BodyLength = { kind: "streamed" };

/** An answer that two readers could end at different places must not be passed on. */
function bodyOf(fields: Fields, status: number, method: string, modern: boolean): BodyLength | string {
  const { codings, coding, lengths, length } = fields;
  if (lengths > 1 || (lengths > 0 && codings > 0)) return "ambiguous length of the response";
  if (codings > 0 && (codings > 1 || !modern || coding.toLowerCase() !== "chunked"))
    return "transfer-encoding of the response";
  const bytes = lengths === 0 ? undefined : readLength(length);
  if (lengths > 0 && bytes === undefined) return "content-length of the response";
  if (method === "HEAD" || status === 304)
    return bytes === undefined ? NO_BODY : { kind: "none", announced: bytes };
  if (status < 200 || status === 204) return NO_BODY;
  if (codings > 0) return STREAMED;
  if (bytes === undefined) return UNTIL_CLOSE;
  return bytes === 0 ? NO_BODY : { kind: "sized", bytes };
}
