import assert from "node:assert/strict";
import type { BodyLength, RequestHead, ResponseHead } from "../../proxy/codec/stream.ts";
import type { HeaderList } from "../../proxy/tables/header-list.ts";

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** A line of a head of HTTP/1.1 would end in these, or a field of the tunnel's. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const BREAKS = /[\r\n\0]/;
/** Said by the fields of a head, or belonging to one connection. */
const FRAMING =
  /^(?:connection|keep-alive|proxy-connection|te|transfer-encoding|content-length|host|upgrade|:.*)$/;

/** What every hop counts on in a head that a codec has let through. */
export function checkRequestHead({
  method,
  target,
  authority,
  scheme,
  upgrade,
  headers,
  body,
}: RequestHead): void {
  assert.match(method, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
  assert.match(target, method === "CONNECT" ? /^$/ : /^(?:\*|\/[^\s]*)$/);
  assert.match(authority, /^[^\s/@]+$/);
  assert.match(scheme ?? "http", /^https?$/);
  assert.doesNotMatch(upgrade ?? "", BREAKS);
  checkHeaders(headers);
  checkLength(body);
}

export function checkResponseHead({ status, headers, body }: ResponseHead): void {
  assert.ok(status === 101 || (status >= 200 && status <= 999), `status ${status}`);
  checkHeaders(headers);
  checkLength(body);
}

export function checkHeaders(headers: HeaderList): void {
  for (let index = 0; index < headers.length; index++) {
    assert.match(headers.nameAt(index), TOKEN);
    assert.doesNotMatch(headers.nameAt(index), FRAMING);
    assert.doesNotMatch(headers.valueAt(index), BREAKS);
    assert.equal(headers.writtenAt(index).toLowerCase(), headers.nameAt(index));
  }
}

function checkLength(body: BodyLength): void {
  if (body.kind === "sized") assert.ok(Number.isSafeInteger(body.bytes) && body.bytes >= 0);
}
