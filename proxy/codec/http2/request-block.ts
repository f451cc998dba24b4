import type { RequestHead } from "../stream.ts";
import { encodeHeaders, indexed, literal } from "./hpack/encoder.ts";

/** Trailers are passed on to whoever is before us, whatever the request said. */
const TRAILERS_WELCOME = "\x00\x02te\x08trailers";
const EXPECT_CONTINUE = literal("expect", "100-continue");
const METHOD_GET = indexed(2);
const METHOD_POST = indexed(3);
const PATH_ROOT = indexed(4);
const SCHEME_HTTP = indexed(6);
const SCHEME_HTTPS = indexed(7);
const METHOD_CONNECT = literal(":method", "CONNECT");

/** The field block of a request (RFC 9113 §8.3.1, §8.5; RFC 8441 §4). */
export function encodeRequest(head: RequestHead): string {
  const { body, headers } = head;
  let block = pseudoHeaders(head) + encodeHeaders(headers) + TRAILERS_WELCOME;
  if (body.kind === "sized") block += literal("content-length", String(body.bytes));
  if (head.expectsContinue && !headers.has("expect")) block += EXPECT_CONTINUE;
  return block;
}

function pseudoHeaders({ method, target, authority, scheme, upgrade, headers }: RequestHead): string {
  const where = literal(":authority", authority);
  if (upgrade === undefined && method === "CONNECT") return METHOD_CONNECT + where;
  const how = upgrade === undefined ? encodeMethod(method) : METHOD_CONNECT + literal(":protocol", upgrade);
  const path = target === "/" ? PATH_ROOT : literal(":path", target);
  // HTTP/1.1 names none: whoever took the request in has said it (Envoy).
  const said = scheme ?? headers.get("x-forwarded-proto");
  return how + (said === "https" ? SCHEME_HTTPS : SCHEME_HTTP) + where + path;
}

function encodeMethod(method: string): string {
  if (method === "GET") return METHOD_GET;
  return method === "POST" ? METHOD_POST : literal(":method", method);
}
