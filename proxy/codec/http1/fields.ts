import { HeaderList } from "../../tables/header-list.ts";
import {
  COLON,
  CR,
  isDisguised,
  isToken,
  isUnderscore,
  isUpper,
  isValue,
  LF,
  SPACE,
  TAB,
} from "../field-syntax.ts";

/** The header section of a message: what is passed on, and apart from it what is between two neighbours alone. */
export interface Fields {
  readonly headers: HeaderList;
  /** Fields in all. */
  count: number;
  hosts: number;
  host: string;
  lengths: number;
  length: string;
  codings: number;
  coding: string;
  connection: string;
  upgrade: string;
  expect: string;
}

export type FieldsProblem = "too many headers" | "header name" | "header value" | "disguised header";

/**
 * Reads header lines from `at` to the end of `text`, each with its CRLF (RFC 9112 §5): no space before the colon, no
 * folded lines, no control characters, no line that ends otherwise.
 */
export function readFields(text: string, at: number, mostFields: number): Fields | FieldsProblem {
  const fields: Fields = {
    headers: new HeaderList(),
    count: 0,
    hosts: 0,
    host: "",
    lengths: 0,
    length: "",
    codings: 0,
    coding: "",
    connection: "",
    upgrade: "",
    expect: "",
  };
  let index = at;
  while (index < text.length) {
    if (++fields.count > mostFields) return "too many headers";
    const start = index;
    let upper = false;
    let underscore = false;
    let code = text.charCodeAt(index);
    while (isToken(code)) {
      if (isUpper(code)) upper = true;
      else if (isUnderscore(code)) underscore = true;
      code = text.charCodeAt(++index);
    }
    if (code !== COLON || index === start) return "header name";
    const written = text.slice(start, index);
    const name = upper ? written.toLowerCase() : written;
    if (underscore && isDisguised(name)) return "disguised header";
    code = text.charCodeAt(++index);
    while (code === SPACE || code === TAB) code = text.charCodeAt(++index);
    const first = index;
    while (isValue(code)) code = text.charCodeAt(++index);
    if (code !== CR || text.charCodeAt(index + 1) !== LF) return "header value";
    let last = index;
    while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
    takeField(fields, name, written, text.slice(first, last));
    index += 2;
  }
  return fields;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** By the length of the name first: most have none of these. */
function takeField(fields: Fields, name: string, written: string, value: string): void {
  switch (name.length) {
    case 2:
      if (name === "te") return;
      break;
    case 4:
      if (name === "host") {
        fields.hosts++;
        fields.host = value;
        return;
      }
      break;
    case 6:
      if (name === "expect") {
        fields.expect = joined(fields.expect, value);
        return;
      }
      break;
    case 7:
      // Trailers are not passed on, so none are announced.
      if (name === "trailer") return;
      if (name === "upgrade") {
        fields.upgrade = joined(fields.upgrade, value);
        return;
      }
      break;
    case 10:
      if (name === "keep-alive") return;
      if (name === "connection") {
        fields.connection = joined(fields.connection, value);
        return;
      }
      break;
    case 14:
      if (name === "content-length") {
        fields.lengths++;
        fields.length = value;
        return;
      }
      // What h2c is asked for with.
      if (name === "http2-settings") return;
      break;
    case 16:
      if (name === "proxy-connection") return;
      break;
    case 17:
      if (name === "transfer-encoding") {
        fields.codings++;
        fields.coding = value;
        return;
      }
      break;
  }
  fields.headers.appendAs(name, written, value);
}

function joined(former: string, value: string): string {
  return former === "" ? value : `${former},${value}`;
}

/** A peer must not get rid of these by naming them in `Connection`. */
const PROTECTED: ReadonlySet<string> = new Set([
  "content-type",
  "authorization",
  "cookie",
  "set-cookie",
  "date",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-request-id",
  "traceparent",
  "tracestate",
]);

const PROTECTED_PREFIXES = ["x-lateen-", "x-envoy-", "x-b3-"];

/** What `Connection` says. */
export interface ConnectionOptions {
  readonly close: boolean;
  readonly upgrade: boolean;
}

const NOTHING: ConnectionOptions = { close: false, upgrade: false };
const CLOSE: ConnectionOptions = { close: true, upgrade: false };

/** Takes out the headers that `Connection` names: they are for this hop (RFC 9110 §7.6.1). */
export function readConnection({ connection, headers }: Fields): ConnectionOptions {
  if (connection === "" || connection === "keep-alive" || connection === "Keep-Alive") return NOTHING;
  if (connection === "close") return CLOSE;
  const named = new Set(connection.split(",").map((option) => option.trim().toLowerCase()));
  headers.keep((name) => !named.has(name) || isProtected(name));
  return { close: named.has("close"), upgrade: named.has("upgrade") };
}

function isProtected(name: string): boolean {
  return PROTECTED.has(name) || PROTECTED_PREFIXES.some((prefix) => name.startsWith(prefix));
}
