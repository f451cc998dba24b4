import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../tables/header-list.ts";
import type { RequestHead, ResponseHead } from "../stream.ts";
import {
  decodeHeaders,
  decodeRequest,
  decodeResponse,
  encodeHeaders,
  encodeRequest,
  encodeResponse,
} from "./heads.ts";

const HEADERS = HeaderList.fromRaw([
  "accept",
  "*/*",
  "X-Twice",
  "1",
  "x-twice",
  "2",
  "x-empty",
  "",
  "x-tab",
  "a\tb",
  "x-utf8",
  "Ã©",
]);

function request(over: Partial<RequestHead>): RequestHead {
  return {
    method: "GET",
    target: "/a?b=c",
    authority: "reviews:9080",
    scheme: "http",
    upgrade: undefined,
    headers: HEADERS,
    body: { kind: "none" },
    expectsContinue: false,
    ...over,
  };
}

const plain = (head: RequestHead | ResponseHead): unknown => ({ ...head, headers: head.headers.toRaw() });

for (const { name, head, fin } of [
  { name: "without a body", head: request({}), fin: true },
  {
    name: "with a length",
    head: request({ method: "POST", body: { kind: "sized", bytes: 12 } }),
    fin: false,
  },
  {
    name: "of no octets",
    head: request({ method: "POST", body: { kind: "none", announced: 0 } }),
    fin: true,
  },
  {
    name: "of unknown length",
    head: request({ method: "PUT", body: { kind: "streamed" }, expectsContinue: true }),
    fin: false,
  },
  { name: "that upgrades", head: request({ upgrade: "websocket" }), fin: false },
  {
    name: "without headers or scheme",
    head: request({ headers: new HeaderList(), scheme: undefined, target: "*", method: "OPTIONS" }),
    fin: true,
  },
  { name: "for a tunnel", head: request({ method: "CONNECT", target: "" }), fin: false },
]) {
  test(`a request ${name} arrives as it was sent`, () => {
    const decoded = decodeRequest(Buffer.from(encodeRequest(head), "latin1"), fin);
    assert.ok(decoded.ok, JSON.stringify(decoded));
    assert.deepEqual(plain(decoded.head), plain(head));
  });
}

test("an answer and trailers arrive as they were sent", () => {
  for (const head of [
    { status: 200, headers: HEADERS, body: { kind: "streamed" } },
    { status: 304, headers: new HeaderList(), body: { kind: "none", announced: 1234 } },
    { status: 404, headers: new HeaderList(), body: { kind: "sized", bytes: 9 } },
    // Applications say such; a tunnel that broke on one would lose the requests of all others.
    { status: 999, headers: new HeaderList(), body: { kind: "streamed" } },
  ] as const) {
    const decoded = decodeResponse(Buffer.from(encodeResponse(head), "latin1"), head.body.kind === "none");
    assert.ok(decoded.ok);
    assert.deepEqual(plain(decoded.head), plain(head));
  }
  const trailers = decodeHeaders(Buffer.from(encodeHeaders(HEADERS), "latin1"));
  assert.ok(trailers.ok);
  assert.deepEqual(trailers.head.toRaw(), HEADERS.toRaw());
  const none = decodeHeaders(Buffer.alloc(0));
  assert.ok(none.ok && none.head.toRaw().length === 0);
});

const GOOD = ["GET", "/", "a", "", "", "", ""];
const at = (index: number, value: string): string[] =>
  GOOD.map((field, other) => (other === index ? value : field));

for (const { name, fields } of [
  { name: "too few fields", fields: GOOD.slice(1) },
  { name: "a name without a value", fields: [...GOOD, "x"] },
  {
    name: "more than a hundred headers",
    fields: [...GOOD, ...Array.from({ length: 101 }, () => ["x", "1"]).flat()],
  },
  { name: "a method with a space", fields: at(0, "GET /x") },
  { name: "no method", fields: at(0, "") },
  { name: "a target with a space", fields: at(1, "/a b") },
  { name: "a target with a line break", fields: at(1, "/a\r\nx: y") },
  { name: "an absolute target", fields: at(1, "http://b/") },
  { name: "an empty target", fields: at(1, "") },
  { name: "a fragment outside ASCII", fields: at(1, "/\u00e9") },
  { name: "no authority", fields: at(2, "") },
  { name: "an authority with user information", fields: at(2, "u@a") },
  { name: "an authority with a path", fields: at(2, "a/b") },
  { name: "two authorities", fields: at(2, "a,b") },
  { name: "a scheme that is none", fields: at(3, "gopher") },
  { name: "an upgrade of CONNECT", fields: ["CONNECT", "", "a", "", "websocket", "", ""] },
  { name: "a target of CONNECT that asks for an upgrade", fields: ["CONNECT", "a b", "a", "", "x", "", ""] },
  { name: "an upgrade that is no token", fields: at(4, "web socket") },
  { name: "a length that is no number", fields: at(5, "0x10") },
  { name: "a length and no body", fields: at(5, "5") },
  { name: "a negative length", fields: at(5, "-1") },
  { name: "a length beyond every number", fields: at(5, "9999999999999999") },
  { name: "a header with a line break", fields: [...GOOD, "x", "1\r\ny: 2"] },
  { name: "a header name with a colon", fields: [...GOOD, "x:", "1"] },
  { name: "an empty header name", fields: [...GOOD, "", "1"] },
  ...[
    "Connection",
    "Content-Length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "Transfer-Encoding",
    "upgrade",
  ].map((name) => ({
    name: `the header ${name}`,
    fields: [...GOOD, name, "1"],
  })),
]) {
  test(`a request with ${name} is refused`, () => {
    assert.ok(decodeRequest(Buffer.from(GOOD.join("\0"), "latin1"), true).ok, "the good one is good");
    assert.equal(decodeRequest(Buffer.from(fields.join("\0"), "latin1"), true).ok, false);
  });
}

for (const fields of [
  ["99", ""],
  ["099", ""],
  ["2000", ""],
  ["", ""],
  ["200"],
  ["200", "-1"],
  ["200", "", "content\0", "x"],
]) {
  test(`an answer of ${JSON.stringify(fields)} is refused`, () => {
    assert.equal(decodeResponse(Buffer.from(fields.join("\0"), "latin1"), true).ok, false);
  });
}
