import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleRequest } from "../../test/harness/sample-request.ts";
import type { HashKey } from "../model/route.ts";
import { compileHashPolicies, type RequestHash } from "./hash-policy.ts";
import { xxHash64 } from "./xx-hash.ts";

const connection = {
  remoteAddress: "10.0.0.9",
  remotePort: 40_000,
  localAddress: "10.0.0.1",
  localPort: 80,
  serverName: "",
  peer: undefined,
};
const cookie: HashKey = { kind: "cookie", name: "user", ttlSeconds: undefined, path: "", attributes: [] };

function hash(
  request: Parameters<typeof sampleRequest>[0],
  ...keys: readonly (HashKey | { readonly key: HashKey; readonly terminal: boolean })[]
): RequestHash | undefined {
  const policies = keys.map((key) => ("key" in key ? key : { key, terminal: false }));
  return compileHashPolicies(policies)?.(sampleRequest(request), connection);
}

const header = (name: string): HashKey => ({ kind: "header", name });

for (const { name, request, key, want } of [
  { name: "a header", request: { headers: { "x-user": "a" } }, key: header("x-user"), want: "a" },
  { name: "a header that is not there", request: {}, key: header("x-user"), want: undefined },
  { name: "a pseudo header", request: { target: "/p?q" }, key: header(":path"), want: "/p?q" },
  {
    name: "a parameter",
    request: { target: "/?a=1&user=b&user=c" },
    key: { kind: "query", name: "user" },
    want: "b",
  },
  {
    name: "a parameter that is not there",
    request: { target: "/?a" },
    key: { kind: "query", name: "b" },
    want: undefined,
  },
  { name: "the caller", request: {}, key: { kind: "source-ip" }, want: "10.0.0.9" },
  { name: "a cookie", request: { headers: { cookie: 'a=b; user="me"; c' } }, key: cookie, want: "me" },
  {
    name: "a cookie that is not there",
    request: { headers: { cookie: "xuser=1" } },
    key: cookie,
    want: undefined,
  },
] as const) {
  test(`hashes ${name}`, () => {
    assert.deepEqual(hash(request, key), {
      hash: want === undefined ? undefined : xxHash64(want),
      cookies: [],
    });
  });
}

test("without a policy there is nothing to do for a request", () => {
  assert.equal(compileHashPolicies([]), undefined);
});

test("a client without the cookie gets one with all that the policy says of it", () => {
  const key: HashKey = {
    ...cookie,
    ttlSeconds: 60,
    path: "/app",
    attributes: [
      { name: "SameSite", value: "Lax" },
      { name: "Secure", value: "" },
    ],
  };
  const made = hash({}, key);
  const value = /^user="([0-9a-f]{16})"; Max-Age=60; Path=\/app; SameSite=Lax; Secure; HttpOnly$/.exec(
    made?.cookies[0] ?? "",
  )?.[1];
  assert.ok(value, made?.cookies[0]);
  assert.equal(made?.hash, xxHash64(value));
  assert.deepEqual(hash({ headers: { cookie: `user=${value}` } }, key), { hash: made.hash, cookies: [] });
  assert.match(
    hash({}, { ...key, ttlSeconds: 0, path: "" })?.cookies[0] ?? "",
    /^user="[0-9a-f]{16}"; SameSite/,
  );
});

test("several hashes are combined, up to one that ends it", () => {
  const request = { headers: { a: "1", b: "2" } };
  const [a, b] = [xxHash64("1"), xxHash64("2")];
  const rotated = BigInt.asUintN(64, (a << 1n) | (a >> 63n));
  assert.equal(hash(request, header("a"), header("b"))?.hash, rotated ^ b);
  assert.equal(hash(request, { key: header("a"), terminal: true }, header("b"))?.hash, a);
  assert.equal(hash(request, { key: header("none"), terminal: true }, header("b"))?.hash, b);
});
