import { HeaderList } from "../../tables/header-list.ts";
import { isAuthority, isDisguised } from "../field-syntax.ts";
import type { BodyLength, RequestHead, ResponseHead } from "../stream.ts";

/**
 * Heads on the tunnel (docs/lateen-mux.md §4): fields of text, one octet a character, with a NUL between them, which can
 * be in none. So one `latin1Slice` and one `split` read a head, and one `join` writes it.
 *
 *     request:  method target authority scheme upgrade length expect, then name and value in turn
 *     response: status length, then name and value in turn
 */
const SEPARATOR = "\0";
const REQUEST_FIELDS = 7;
const RESPONSE_FIELDS = 2;
/** As at every other door of the proxy. */
const MOST_HEADERS = 100;

export type Decoded<T> =
  | { readonly ok: true; readonly head: T }
  | { readonly ok: false; readonly reason: string };

export function encodeRequest(head: RequestHead): string {
  const { method, target, authority, scheme = "", upgrade = "", body } = head;
  const expect = head.expectsContinue ? "1" : "";
  const fields = [method, target, authority, scheme, upgrade, lengthOf(body), expect];
  return withHeaders(fields, head.headers);
}

export function encodeResponse({ status, body, headers }: ResponseHead): string {
  return withHeaders([String(status), lengthOf(body)], headers);
}

export function encodeHeaders(headers: HeaderList): string {
  let text = "";
  for (let index = 0; index < headers.length; index++) {
    if (index > 0) text += SEPARATOR;
    text += `${headers.writtenAt(index)}${SEPARATOR}${headers.valueAt(index)}`;
  }
  return text;
}

/** `fin`: nothing follows the head. */
export function decodeRequest(payload: Buffer, fin: boolean): Decoded<RequestHead> {
  const fields = fieldsOf(payload);
  if (typeof fields === "string") return refuse(fields);
  const headers = headersOf(fields, REQUEST_FIELDS);
  if (typeof headers === "string") return refuse(headers);
  const [method = "", target = "", authority = "", scheme = "", upgrade = "", length = "", expect] = fields;
  // What follows the head of an upgrade or CONNECT is not a body.
  const body = bodyOf(length, fin || upgrade !== "" || method === "CONNECT");
  if (!TOKEN.test(method)) return refuse("method");
  if (method === "CONNECT" ? target !== "" : !TARGET.test(target)) return refuse("target");
  if (!isAuthority(authority)) return refuse("authority");
  if (!SCHEME.test(scheme)) return refuse("scheme");
  if (upgrade !== "" && (method === "CONNECT" || !PROTOCOL.test(upgrade))) return refuse("upgrade");
  if (body === undefined || (fin && Number(length) > 0)) return refuse("length");
  return {
    ok: true,
    head: {
      method,
      target,
      authority,
      scheme: scheme === "" ? undefined : scheme,
      upgrade: upgrade === "" ? undefined : upgrade,
      headers,
      body,
      expectsContinue: expect === "1",
    },
  };
}

export function decodeResponse(payload: Buffer, fin: boolean): Decoded<ResponseHead> {
  const fields = fieldsOf(payload);
  if (typeof fields === "string") return refuse(fields);
  const headers = headersOf(fields, RESPONSE_FIELDS);
  if (typeof headers === "string") return refuse(headers);
  const [status = "", length = ""] = fields;
  const body = bodyOf(length, fin);
  if (!/^[1-9]\d\d$/.test(status)) return refuse("status");
  if (body === undefined) return refuse("length");
  return { ok: true, head: { status: Number(status), headers, body } };
}

/** Trailers. */
export function decodeHeaders(payload: Buffer): Decoded<HeaderList> {
  const fields = fieldsOf(payload);
  if (typeof fields === "string") return refuse(fields);
  const headers = headersOf(fields, 0);
  return typeof headers === "string" ? refuse(headers) : { ok: true, head: headers };
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^(?:\*|\/[!-~]*)$/;
const SCHEME = /^(?:https?)?$/;
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9a-z/-]+$/;
/** Other than the separator, no control character is in any field. A tab may be in a value (RFC 9110 §5.5). */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const CONTROL = /[\x01-\x08\x0a-\x1f\x7f]/;
/** Said by the fields of the head, or belonging to one connection. */
const NOT_HERE = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

interface Name {
  readonly lower: string;
  readonly wrong: string | undefined;
}

/** Good names come again and again: what they are is remembered, for so many of usual length. */
const NAMES = new Map<string, Name>();
const MOST_NAMES = 1024;
const LONGEST_NAME = 64;

function nameOf(written: string): Name {
  const lower = written.toLowerCase();
  if (!TOKEN.test(written) || NOT_HERE.has(lower))
    return { lower, wrong: `header ${JSON.stringify(written)}` };
  if (isDisguised(lower)) return { lower, wrong: "disguised header" };
  const name = { lower, wrong: undefined };
  // A copy: `written` is a slice of its head, and would keep all of it.
  if (NAMES.size < MOST_NAMES && written.length <= LONGEST_NAME)
    NAMES.set(Buffer.from(written, "latin1").toString("latin1"), name);
  return name;
}

/** Text, or why there is none. */
function fieldsOf(payload: Buffer): string[] | string {
  const text = payload.toString("latin1");
  if (CONTROL.test(text)) return "a control character";
  return text === "" ? [] : text.split(SEPARATOR);
}

function headersOf(fields: readonly string[], from: number): HeaderList | string {
  const count = fields.length - from;
  if (count < 0 || count % 2 !== 0) return "number of fields";
  if (count / 2 > MOST_HEADERS) return "too many headers";
  const headers = new HeaderList();
  for (let index = from; index < fields.length; index += 2) {
    const written = fields[index] ?? "";
    const name = NAMES.get(written) ?? nameOf(written);
    if (name.wrong !== undefined) return name.wrong;
    headers.appendAs(name.lower, written, fields[index + 1] ?? "");
  }
  return headers;
}

function withHeaders(fields: string[], headers: HeaderList): string {
  const head = fields.join(SEPARATOR);
  const rest = encodeHeaders(headers);
  return rest === "" ? head : `${head}${SEPARATOR}${rest}`;
}

/** Decimal; empty when it is not known, or there is none (then the frame has FIN) and nothing was announced. */
function lengthOf(body: BodyLength): string {
  if (body.kind === "sized") return String(body.bytes);
  return body.kind === "none" && body.announced !== undefined ? String(body.announced) : "";
}

function bodyOf(length: string, fin: boolean): BodyLength | undefined {
  if (length === "") return fin ? { kind: "none" } : { kind: "streamed" };
  if (!/^\d{1,15}$/.test(length)) return undefined;
  if (fin) return { kind: "none", announced: Number(length) };
  return { kind: "sized", bytes: Number(length) };
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
