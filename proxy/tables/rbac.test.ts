import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleRequest } from "../../test/harness/sample-request.ts";
import type { StringMatch } from "../model/match.ts";
import type { Rbac, RbacRule } from "../model/rbac.ts";
import type { ConnectionFacts } from "./facts.ts";
import type { RbacVerdict } from "./rbac.ts";
import { compileRbac } from "./rbac.ts";

const connection: ConnectionFacts = {
  remoteAddress: "10.1.2.3",
  remotePort: 40_000,
  localAddress: "10.0.0.1",
  localPort: 9080,
  serverName: "outbound_.9080_._.reviews",
  peer: ["spiffe://cluster.local/ns/default/sa/productpage"],
};
const request = sampleRequest({
  method: "GET",
  target: "/info/1?x=/admin",
  authority: "reviews:9080",
  headers: { "x-token": "let-me-in" },
});

const plain = (
  kind: "exact" | "prefix" | "suffix" | "contains",
  value: string,
  ignoreCase = false,
): StringMatch => ({ kind, value, ignoreCase });
const authenticated = (match: StringMatch | undefined): RbacRule => ({ kind: "authenticated", match });
const header = (name: string, match: StringMatch, invert = false): RbacRule => ({
  kind: "header",
  header: { name, test: { kind: "string", match }, invert, missingIsEmpty: false },
});

type Judge = (subject: Parameters<ReturnType<typeof compileRbac>>[0]) => RbacVerdict | undefined;

/** What is enforced by one set of policies. */
function enforced(rbac: Rbac): Judge {
  const judge = compileRbac({ enforced: rbac, shadow: undefined, shadowPrefix: "" });
  return (subject) => judge(subject).enforced;
}

const cases: readonly {
  name: string;
  rule: RbacRule;
  want: boolean;
  on?: Partial<ConnectionFacts>;
  tcp?: boolean;
}[] = [
  { name: "anything", rule: { kind: "any" }, want: true, tcp: true },
  {
    name: "the exact identity",
    rule: authenticated(plain("exact", connection.peer?.[0] ?? "")),
    want: true,
    tcp: true,
  },
  { name: "another identity", rule: authenticated(plain("exact", `${connection.peer?.[0]}2`)), want: false },
  {
    name: "a prefix of the identity",
    rule: authenticated(plain("prefix", "spiffe://cluster.local/ns/default/")),
    want: true,
  },
  { name: "a suffix of the identity", rule: authenticated(plain("suffix", "/sa/productpage")), want: true },
  {
    name: "a regex on the identity, as Istio writes namespaces",
    rule: authenticated({ kind: "regex", value: ".*/ns/default/.*" }),
    want: true,
  },
  {
    name: "a regex that matches a part of the identity only",
    rule: authenticated({ kind: "regex", value: "/ns/default/" }),
    want: false,
  },
  { name: "any identity", rule: authenticated(undefined), want: true },
  {
    name: "any identity of a caller that has none",
    rule: authenticated(undefined),
    on: { peer: undefined },
    want: false,
  },
  {
    name: "not an identity, of a caller that has none",
    rule: { kind: "not", rule: authenticated(plain("prefix", "spiffe://")) },
    on: { peer: undefined },
    want: true,
  },
  {
    name: "the source's network",
    rule: { kind: "direct-remote-ip", cidr: { address: "10.1.0.0", length: 16 } },
    want: true,
    tcp: true,
  },
  {
    name: "the source's network in mapped form",
    rule: { kind: "remote-ip", cidr: { address: "10.1.0.0", length: 16 } },
    on: { remoteAddress: "::ffff:10.1.2.3" },
    want: true,
  },
  {
    name: "another network",
    rule: { kind: "remote-ip", cidr: { address: "10.2.0.0", length: 16 } },
    want: false,
  },
  {
    name: "every IPv4 address, of an IPv6 source",
    rule: { kind: "remote-ip", cidr: { address: "0.0.0.0", length: 0 } },
    on: { remoteAddress: "2001:db8::1" },
    want: false,
  },
  {
    name: "an IPv6 network",
    rule: { kind: "remote-ip", cidr: { address: "2001:db8::", length: 32 } },
    on: { remoteAddress: "2001:db8::1" },
    want: true,
  },
  {
    name: "the destination's address",
    rule: { kind: "destination-ip", cidr: { address: "10.0.0.1", length: 32 } },
    want: true,
  },
  {
    name: "the destination's port",
    rule: { kind: "destination-port", start: 9080, end: 9081 },
    want: true,
    tcp: true,
  },
  {
    name: "a range that ends before the port",
    rule: { kind: "destination-port", start: 9000, end: 9080 },
    want: false,
  },
  {
    name: "the server name",
    rule: { kind: "server-name", match: plain("suffix", "reviews") },
    want: true,
    tcp: true,
  },
  {
    name: "the path without its query",
    rule: { kind: "path", match: plain("exact", "/info/1") },
    want: true,
  },
  {
    name: "a path that is in the query only",
    rule: { kind: "path", match: plain("contains", "/admin") },
    want: false,
  },
  { name: "the method", rule: header(":method", plain("exact", "GET")), want: true },
  {
    name: "the host in any case",
    rule: header(":authority", plain("exact", "REVIEWS:9080", true)),
    want: true,
  },
  { name: "a header", rule: header("x-token", plain("prefix", "let")), want: true },
  { name: "a header that is not there", rule: header("x-other", plain("prefix", "")), want: false },
  {
    name: "all of several",
    rule: { kind: "and", rules: [{ kind: "any" }, header("x-token", plain("exact", "no"))] },
    want: false,
  },
  {
    name: "one of several",
    rule: { kind: "or", rules: [authenticated(plain("exact", "no")), { kind: "any" }] },
    want: true,
  },
  { name: "none of nothing", rule: { kind: "or", rules: [] }, want: false },
];

for (const { name, rule, want, on, tcp } of cases) {
  test(`a policy on ${name} ${want ? "matches" : "does not match"}`, () => {
    const subject = { connection: { ...connection, ...on }, request };
    const policy = { name: "p", permissions: [{ kind: "any" } as const], principals: [rule] };
    const allow = enforced({ action: "ALLOW", policies: [policy] });
    const deny = enforced({
      action: "DENY",
      policies: [{ ...policy, permissions: [rule], principals: [{ kind: "any" }] }],
    });
    assert.equal(allow(subject)?.allowed, want);
    assert.equal(deny(subject)?.allowed, !want);
    if (tcp) assert.equal(allow({ ...subject, request: undefined })?.allowed, want);
  });
}

test("what asks for a request never matches a connection that carries none", () => {
  for (const rule of [
    header(":method", plain("prefix", "")),
    { kind: "path", match: plain("prefix", "") } as const,
  ]) {
    const allow = enforced({
      action: "ALLOW",
      policies: [{ name: "p", permissions: [rule], principals: [{ kind: "any" }] }],
    });
    assert.equal(allow({ connection, request: undefined })?.allowed, false);
  }
});

test("a second line of a header hides nothing from a policy: each value counts by itself", () => {
  const rule = header("x-user", plain("exact", "mallory"));
  const deny = enforced({
    action: "DENY",
    policies: [{ name: "p", permissions: [rule], principals: [{ kind: "any" }] }],
  });
  const judge = (values: string | readonly string[]): boolean | undefined =>
    deny({ connection, request: sampleRequest({ headers: { "x-user": values } }) })?.allowed;
  assert.equal(judge("mallory"), false);
  assert.equal(judge(["mallory", "alice"]), false);
  assert.equal(judge(["", "mallory"]), false);
  assert.equal(judge(["alice", "bob"]), true);
  assert.equal(judge("mallory,alice"), true, "one value with a comma in it, as Envoy takes it");
});

test("ALLOW without policies denies everything, DENY without policies nothing, LOG never", () => {
  const subject = { connection, request };
  const all = {
    name: "all",
    permissions: [{ kind: "any" } as const],
    principals: [{ kind: "any" } as const],
  };
  const table: readonly (readonly [Rbac, Omit<RbacVerdict, "action">])[] = [
    [
      { action: "ALLOW", policies: [] },
      { allowed: false, matched: false, policy: "none" },
    ],
    [
      { action: "ALLOW", policies: [all] },
      { allowed: true, matched: true, policy: "all" },
    ],
    [
      { action: "DENY", policies: [] },
      { allowed: true, matched: false, policy: "none" },
    ],
    [
      { action: "DENY", policies: [all] },
      { allowed: false, matched: true, policy: "all" },
    ],
    [
      { action: "LOG", policies: [] },
      { allowed: true, matched: false, policy: "none" },
    ],
    [
      { action: "LOG", policies: [all] },
      { allowed: true, matched: true, policy: "all" },
    ],
  ];
  for (const [rbac, want] of table) {
    const verdict = { action: rbac.action, ...want };
    assert.deepEqual(enforced(rbac)(subject), verdict);
    const imagined = compileRbac({ enforced: undefined, shadow: rbac, shadowPrefix: "x_" })(subject);
    assert.deepEqual(imagined, { enforced: undefined, shadow: verdict });
  }
});

test("a claim that is a list matches by each of its entries, and one that is missing by none", () => {
  const oneOf = { kind: "string", match: plain("exact", "admin") } as const;
  const rule: RbacRule = {
    kind: "metadata",
    metadata: {
      filter: "jwt",
      path: ["payload", "groups"],
      value: { kind: "or", values: [{ kind: "list", oneOf }, oneOf] },
      invert: false,
    },
  };
  const allow = enforced({
    action: "ALLOW",
    policies: [{ name: "p", permissions: [{ kind: "any" }], principals: [rule] }],
  });
  const judge = (payload: Readonly<Record<string, unknown>> | undefined): boolean | undefined => {
    const asked = sampleRequest();
    if (payload) asked.metadata.add("jwt", { payload });
    return allow({ connection, request: asked })?.allowed;
  };
  assert.equal(judge({ groups: ["user", "admin"] }), true);
  assert.equal(judge({ groups: "admin" }), true);
  assert.equal(judge({ groups: "admin,user" }), false);
  assert.equal(judge({ groups: [["admin"]] }), false);
  assert.equal(judge({ groups: { admin: true } }), false);
  assert.equal(judge({}), false);
  assert.equal(judge(undefined), false);
  assert.equal(allow({ connection, request: undefined })?.allowed, false);
});
