import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../../tables/header-list.ts";
import { HpackDecoder } from "./decoder.ts";
import { encodeHeaders, encodeStatus } from "./encoder.ts";

function decode(text: string): string[] {
  const block = Buffer.from(text, "latin1");
  const fields: string[] = [];
  new HpackDecoder().decode(block, 0, block.length, {
    field: (name, value) => fields.push(`${name}: ${value}`),
  });
  return fields;
}

/** What a value can have, blanks aside. */
const VALUE_BYTES = Array.from({ length: 0xdf }, (_, at) => String.fromCharCode(0x21 + at)).filter(
  (character) => character !== "\x7f",
);

test("every length and every byte that a value can have comes back", () => {
  for (const length of [0, 1, 126, 127, 128, 254, 255, 256, 16_383, 40_000]) {
    const value = Array.from({ length }, (_, at) => VALUE_BYTES[at % VALUE_BYTES.length]).join("");
    const headers = HeaderList.fromRaw([
      "content-type",
      value,
      `x-${"n".repeat(length)}`,
      value,
      "www-authenticate",
      value,
    ]);
    assert.deepEqual(decode(encodeHeaders(headers)), [
      `content-type: ${value}`,
      `x-${"n".repeat(length)}: ${value}`,
      `www-authenticate: ${value}`,
    ]);
  }
});

test("every status comes back, the common ones in a byte", () => {
  for (let status = 100; status < 600; status++)
    assert.deepEqual(decode(encodeStatus(status)), [`:status: ${status}`]);
  for (const status of [200, 204, 206, 304, 400, 404, 500]) assert.equal(encodeStatus(status).length, 1);
});

test("what identifies somebody may be put into no table on the way (RFC 7541 §7.1.3)", () => {
  for (const name of ["authorization", "cookie", "set-cookie", "proxy-authorization"]) {
    const first = encodeHeaders(HeaderList.fromRaw([name, "secret"])).charCodeAt(0);
    assert.equal(first & 0xf0, 0x10, name);
  }
  assert.equal(encodeHeaders(HeaderList.fromRaw(["accept", "x"])).charCodeAt(0) & 0xf0, 0x00);
});

test("fields of HTTP/1.1's framing are left out, names are in lower case", () => {
  const raw = [
    "Connection",
    "x",
    "Keep-Alive",
    "x",
    "Upgrade",
    "x",
    "TE",
    "x",
    "Transfer-Encoding",
    "x",
    "Host",
    "x",
    "X-A",
    "b",
  ];
  assert.deepEqual(decode(encodeHeaders(HeaderList.fromRaw(raw))), ["x-a: b"]);
});
