import assert from "node:assert/strict";
import { test } from "node:test";
import {
  agentSpiffeId,
  describeSpiffeId,
  isSpiffeId,
  parseSpiffeId,
  serverSpiffeId,
  workloadSpiffeId,
} from "./spiffe-id.ts";
import { isTrustDomain, parseTrustDomain } from "./trust-domain.ts";

const good = "spiffe://example.org/ns/default/sa/reviews";

const refused: readonly { readonly name: string; readonly text: string }[] = [
  { name: "the empty text", text: "" },
  { name: "another scheme", text: "https://example.org/ns/default/sa/reviews" },
  { name: "an upper-case scheme", text: "SPIFFE://example.org/ns/default/sa/reviews" },
  { name: "an upper-case trust domain", text: "spiffe://Example.org/ns/default/sa/reviews" },
  { name: "a port", text: "spiffe://example.org:443/ns/default/sa/reviews" },
  { name: "user information", text: "spiffe://user@example.org/ns/default/sa/reviews" },
  { name: "a query", text: "spiffe://example.org/ns/default/sa/reviews?a=b" },
  { name: "a fragment", text: "spiffe://example.org/ns/default/sa/reviews#a" },
  { name: "a percent-encoded letter", text: "spiffe://example.org/ns/default/sa/%61" },
  { name: "a percent-encoded slash", text: "spiffe://example.org/ns/default%2Fsa/reviews" },
  { name: "an empty segment", text: "spiffe://example.org/ns//sa/reviews" },
  { name: "a dot segment", text: "spiffe://example.org/ns/./sa/reviews" },
  { name: "a double-dot segment", text: "spiffe://example.org/ns/../sa/reviews" },
  { name: "a trailing slash", text: `${good}/` },
  { name: "no path", text: "spiffe://example.org" },
  { name: "an empty path", text: "spiffe://example.org/" },
  { name: "no trust domain", text: "spiffe:///ns/default/sa/reviews" },
  { name: "2049 bytes", text: `spiffe://example.org/${"a/".repeat(1013)}ab` },
  { name: "a segment of 64 characters", text: `spiffe://example.org/ns/default/sa/${"a".repeat(64)}` },
  { name: "a Cyrillic confusable", text: "spiffe://example.org/ns/default/sa/revi\u0435ws" },
  { name: "a full-width slash", text: "spiffe://example.org/ns/default\uff0fsa/reviews" },
  { name: "a NUL", text: "spiffe://example.org/ns/default/sa/reviews\0" },
  { name: "a line break at the end", text: `${good}\n` },
  { name: "a space in front", text: ` ${good}` },
  { name: "a backslash", text: "spiffe://example.org\\ns\\default\\sa\\reviews" },
  { name: "a space in a segment", text: "spiffe://example.org/ns/default/sa/a b" },
  { name: "a plus in a segment", text: "spiffe://example.org/ns/default/sa/a+b" },
];

for (const { name, text } of refused) {
  test(`a SPIFFE ID with ${name} is refused`, () => {
    assert.equal(isSpiffeId(text), false);
    assert.throws(() => parseSpiffeId(text), { code: "identity.invalid" });
  });
}

test("a SPIFFE ID of 2048 bytes and a segment of 63 are accepted", () => {
  const long = `spiffe://example.org/${"a/".repeat(1013)}a`;
  assert.equal(long.length, 2048);
  assert.equal(parseSpiffeId(long), long);
  assert.ok(isSpiffeId(`spiffe://example.org/ns/default/sa/${"a".repeat(63)}`));
});

test("an ID is taken as it stands: dots inside, digits, upper case in the path", () => {
  for (const text of [good, "spiffe://a/B.c_d-1", "spiffe://1.2.3.4/...", "spiffe://example.org/a/.b"]) {
    assert.equal(parseSpiffeId(text), text);
  }
});

test("IDs are built and described", () => {
  const workload = workloadSpiffeId("example.org", "default", "reviews");
  assert.equal(workload, good);
  assert.deepEqual(describeSpiffeId(workload), {
    kind: "workload",
    trustDomain: "example.org",
    namespace: "default",
    serviceAccount: "reviews",
  });
  const agent = agentSpiffeId("example.org", "a-1");
  assert.equal(agent, "spiffe://example.org/lateen/agent/a-1");
  assert.deepEqual(describeSpiffeId(agent), { kind: "agent", trustDomain: "example.org", agentId: "a-1" });
  const server = serverSpiffeId("example.org");
  assert.equal(server, "spiffe://example.org/lateen/server");
  assert.deepEqual(describeSpiffeId(server), { kind: "server", trustDomain: "example.org" });
});

for (const path of [
  "ns/a/sa",
  "ns/a/sa/b/c",
  "NS/a/sa/b",
  "ns/a/SA/b",
  "lateen/agent",
  "lateen/server/x",
  "x",
]) {
  test(`spiffe://td/${path} is nobody's`, () => {
    assert.equal(describeSpiffeId(parseSpiffeId(`spiffe://td/${path}`)).kind, "other");
  });
}

for (const part of ["", ".", "..", "a/b", "a/sa/b", "a%2fb", "a b", "ä", "a".repeat(64), "a\n"]) {
  test(`no identity is built from the part ${JSON.stringify(part)}`, () => {
    assert.throws(() => workloadSpiffeId("td", part, "sa"), { code: "identity.invalid" });
    assert.throws(() => workloadSpiffeId("td", "ns", part), { code: "identity.invalid" });
    assert.throws(() => agentSpiffeId("td", part), { code: "identity.invalid" });
  });
}

test("no identity is built from a trust domain that is more than that", () => {
  assert.throws(() => workloadSpiffeId("td/ns/x", "ns", "sa"), { code: "identity.invalid" });
  assert.throws(() => serverSpiffeId("TD"), { code: "identity.invalid" });
});

test("trust domains are lower-case names", () => {
  for (const text of ["cluster.local", "a", "x_y-z.1"]) assert.equal(parseTrustDomain(text), text);
  for (const text of ["", "A", "a/b", ".a", "a.", "a:1", "a b", "spiffe://a", "a".repeat(256), "a\n"]) {
    assert.equal(isTrustDomain(text), false);
    assert.throws(() => parseTrustDomain(text), { code: "identity.invalid" });
  }
});
