import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RBAC } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../../mesh/xds/json.ts";
import { sampleState } from "../../../test/fakes/sample-mesh.ts";
import { authorizationPoliciesFor } from "../../policy/authorization.ts";
import { viewOf } from "../../snapshot/snapshot-view.ts";
import { type PolicyTarget, translatePolicies } from "./policies.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

interface Outcome {
  readonly filters: readonly { readonly action?: string; readonly policies?: Record<string, Rule> }[];
  readonly warnings: readonly string[];
}

interface Rule {
  readonly principals: readonly JsonValue[];
  readonly permissions: readonly JsonValue[];
}

function translate(policies: readonly string[], over: Partial<PolicyTarget> = {}): Outcome {
  const yaml = policies
    .map(
      (spec, index) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p${index}, annotations: { ${spec.replace(/^DRY (\S+) .*|.*/s, (_, flag) => (flag === undefined ? "" : `istio.io/dry-run: '${flag}'`))} } }
spec: { ${spec.replace(/^DRY \S+ /, "")} }
`,
    )
    .join("---");
  const view = viewOf(sampleState({ yaml }).next().snapshot);
  const warnings: string[] = [];
  const filters = translatePolicies(
    authorizationPoliciesFor(view, { namespace: "default", labels: {} }),
    { trustDomain: "mesh.example", port: { app: 8080, inbound: 21000 }, http: true, ...over },
    ({ subject, message }) => warnings.push(`${subject} ${message}`),
  );
  const printed = filters.map((filter) =>
    json.resourceToJson("type.googleapis.com/envoy.config.rbac.v3.RBAC", RBAC.encode(filter).finish()),
  );
  return { filters: printed as unknown as Outcome["filters"], warnings };
}

/** The only rule of the only filter. */
function rule(outcome: Outcome): Rule | undefined {
  assert.equal(outcome.filters.length, 1);
  const rules = Object.values(outcome.filters[0]?.policies ?? {});
  assert.ok(rules.length <= 1, "one rule");
  return rules[0];
}

const ANY = [{ any: true }];
const NEVER: Rule = { principals: [{ notId: { any: true } }], permissions: [{ notRule: { any: true } }] };
const by = (principalName: JsonValue): JsonValue => ({ authenticated: { principalName } });
const ip = (addressPrefix: string, prefixLen: number): JsonValue => ({ addressPrefix, prefixLen });
const header = (name: string, stringMatch: JsonValue): JsonValue => ({ header: { name, stringMatch } });
const pathIs = (path: JsonValue): JsonValue => ({ urlPath: { path } });

const sources: readonly (readonly [source: string, want: JsonValue])[] = [
  ["principals: [mesh.example/ns/a/sa/b]", by({ exact: "spiffe://mesh.example/ns/a/sa/b" })],
  ["principals: [cluster.local/ns/a/sa/b]", by({ exact: "spiffe://mesh.example/ns/a/sa/b" })],
  ['principals: ["mesh.example/ns/a/*"]', by({ prefix: "spiffe://mesh.example/ns/a/" })],
  ['principals: ["*/sa/b"]', by({ suffix: "/sa/b" })],
  ['principals: ["*"]', by({ safeRegex: { regex: ".+" } })],
  ["notPrincipals: [mesh.example/ns/a/sa/b]", { notId: by({ exact: "spiffe://mesh.example/ns/a/sa/b" }) }],
  ["namespaces: [a]", by({ prefix: "spiffe://mesh.example/ns/a/" })],
  ['namespaces: ["a*"]', by({ prefix: "spiffe://mesh.example/ns/a" })],
  ['namespaces: ["*a"]', by({ safeRegex: { regex: "spiffe://mesh\\.example/ns/[^/]*a/sa/.+" } })],
  [
    "namespaces: [a, b]",
    {
      orIds: {
        ids: [by({ prefix: "spiffe://mesh.example/ns/a/" }), by({ prefix: "spiffe://mesh.example/ns/b/" })],
      },
    },
  ],
  ["notNamespaces: [a]", { notId: by({ prefix: "spiffe://mesh.example/ns/a/" }) }],
  ["serviceAccounts: [a/b]", by({ exact: "spiffe://mesh.example/ns/a/sa/b" })],
  ["serviceAccounts: [b]", by({ exact: "spiffe://mesh.example/ns/default/sa/b" })],
  ["ipBlocks: [10.0.0.0/8]", { directRemoteIp: ip("10.0.0.0", 8) }],
  ["notIpBlocks: [10.0.0.7]", { notId: { directRemoteIp: ip("10.0.0.7", 32) } }],
  ['remoteIpBlocks: ["fd00::/8"]', { remoteIp: ip("fd00::", 8) }],
  ['notRemoteIpBlocks: ["fd00::1"]', { notId: { remoteIp: ip("fd00::1", 128) } }],
  [
    "namespaces: [a], ipBlocks: [10.0.0.0/8]",
    {
      andIds: {
        ids: [by({ prefix: "spiffe://mesh.example/ns/a/" }), { directRemoteIp: ip("10.0.0.0", 8) }],
      },
    },
  ],
];
for (const [source, want] of sources) {
  test(`source { ${source} }`, () => {
    const outcome = translate([`action: ALLOW, rules: [{ from: [{ source: { ${source} } }] }]`]);
    assert.deepEqual(rule(outcome), { principals: [want], permissions: ANY });
    assert.deepEqual(outcome.warnings, []);
  });
}

const operations: readonly (readonly [operation: string, want: JsonValue])[] = [
  ["hosts: [Shop.example]", header(":authority", { exact: "Shop.example", ignoreCase: true })],
  ['hosts: ["*.example"]', header(":authority", { suffix: ".example", ignoreCase: true })],
  ["notHosts: [a]", { notRule: header(":authority", { exact: "a", ignoreCase: true }) }],
  ["methods: [GET]", header(":method", { exact: "GET" })],
  ["notMethods: [GET]", { notRule: header(":method", { exact: "GET" }) }],
  ["paths: [/a]", pathIs({ exact: "/a" })],
  ['paths: ["/a/*"]', pathIs({ prefix: "/a/" })],
  ['paths: ["*.html"]', pathIs({ suffix: ".html" })],
  ['paths: ["/v1/{*}/x"]', pathIs({ safeRegex: { regex: "/v1/[^/]+/x" } })],
  ['paths: ["/v1.0/{**}"]', pathIs({ safeRegex: { regex: "/v1\\.0/.*" } })],
  ["notPaths: [/a]", { notRule: pathIs({ exact: "/a" }) }],
  ['ports: ["8080"]', { destinationPort: 21000 }],
  ['ports: ["21000"]', { notRule: { any: true } }],
  ['notPorts: ["8080"]', { notRule: { destinationPort: 21000 } }],
];
for (const [operation, want] of operations) {
  test(`operation { ${operation} }`, () => {
    const outcome = translate([`action: ALLOW, rules: [{ to: [{ operation: { ${operation} } }] }]`]);
    assert.deepEqual(rule(outcome), { principals: ANY, permissions: [want] });
  });
}

const conditions: readonly (readonly [when: string, part: "principals" | "permissions", want: JsonValue])[] =
  [
    ["key: source.ip, values: [10.0.0.1]", "principals", { directRemoteIp: ip("10.0.0.1", 32) }],
    ["key: remote.ip, values: [10.0.0.0/8]", "principals", { remoteIp: ip("10.0.0.0", 8) }],
    [
      "key: source.namespace, notValues: [a]",
      "principals",
      { notId: by({ prefix: "spiffe://mesh.example/ns/a/" }) },
    ],
    ["key: source.principal, values: [x/ns/a/sa/b]", "principals", by({ exact: "spiffe://x/ns/a/sa/b" })],
    [
      "key: source.serviceAccount, values: [a/b]",
      "principals",
      by({ exact: "spiffe://mesh.example/ns/a/sa/b" }),
    ],
    ["key: source.trustDomain, values: [x]", "principals", by({ prefix: "spiffe://x/" })],
    ["key: destination.ip, values: [10.0.0.1]", "permissions", { destinationIp: ip("10.0.0.1", 32) }],
    ['key: destination.port, values: ["8080"]', "permissions", { destinationPort: 21000 }],
    ["key: connection.sni, values: [a.b]", "permissions", { requestedServerName: { exact: "a.b" } }],
    ['key: "request.headers[X-A]", values: ["b*"]', "permissions", header("x-a", { prefix: "b" })],
    [
      'key: "request.headers[x-a]", values: ["*"]',
      "permissions",
      { header: { name: "x-a", presentMatch: true } },
    ],
  ];
for (const [when, part, want] of conditions) {
  test(`when { ${when} }`, () => {
    const outcome = translate([`action: DENY, rules: [{ when: [{ ${when} }] }]`]);
    assert.equal(outcome.filters[0]?.action, "DENY");
    assert.deepEqual(rule(outcome), { principals: ANY, permissions: ANY, [part]: [want] });
  });
}

const JWT = 'from: [{ source: { requestPrincipals: ["*"], namespaces: [a] } }]';
const IN_A = by({ prefix: "spiffe://mesh.example/ns/a/" });

test("an ALLOW rule that needs a JWT is dropped, and the policy then allows nothing", () => {
  const outcome = translate([`action: ALLOW, rules: [{ ${JWT} }]`]);
  assert.deepEqual(rule(outcome), NEVER);
  assert.match(outcome.warnings.join(), /AuthorizationPolicy\/default\/p0 spec\.rules\[0\]\.from\[0\].*JWT/);
});

test("of the sources of an ALLOW rule only the one that needs a JWT is dropped", () => {
  const outcome = translate([
    "action: ALLOW, rules: [{ from: [{ source: { requestPrincipals: [x] } }, { source: { namespaces: [a] } }] }]",
  ]);
  assert.deepEqual(rule(outcome), { principals: [IN_A], permissions: ANY });
});

test("a DENY rule ignores what needs a JWT and so denies more", () => {
  const outcome = translate([`action: DENY, rules: [{ ${JWT} }]`]);
  assert.deepEqual(rule(outcome), { principals: [IN_A], permissions: ANY });
  assert.match(outcome.warnings.join(), /denies more/);
});

test("denying what has no JWT denies everything while there are none", () => {
  const outcome = translate([
    'action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }] }]',
  ]);
  assert.deepEqual(rule(outcome), { principals: ANY, permissions: ANY });
});

for (const key of [
  "request.auth.claims[group]",
  "request.auth.principal",
  "experimental.envoy.filters.a[b]",
]) {
  test(`a condition on ${key} drops an ALLOW rule and widens a DENY rule`, () => {
    const when = `to: [{ operation: { methods: [GET] } }], when: [{ key: "${key}", values: [x] }]`;
    assert.deepEqual(rule(translate([`action: ALLOW, rules: [{ ${when} }]`])), NEVER);
    assert.deepEqual(rule(translate([`action: DENY, rules: [{ ${when} }]`]))?.permissions, [
      header(":method", { exact: "GET" }),
    ]);
  });
}

for (const operation of ["methods: [GET]", "paths: [/a]", "hosts: [a]", "notPaths: [/a]"]) {
  test(`on a TCP port { ${operation} } drops an ALLOW rule and widens a DENY rule`, () => {
    const to = `to: [{ operation: { ${operation}, ports: ["8080"] } }]`;
    assert.deepEqual(rule(translate([`action: ALLOW, rules: [{ ${to} }]`], { http: false })), NEVER);
    assert.deepEqual(rule(translate([`action: DENY, rules: [{ ${to} }]`], { http: false }))?.permissions, [
      { destinationPort: 21000 },
    ]);
  });
}

test("without a policy there is no filter", () => {
  assert.deepEqual(translate([]).filters, []);
});

test("ALLOW without rules allows nothing, a rule without conditions everything", () => {
  assert.deepEqual(rule(translate(["action: ALLOW"])), NEVER);
  assert.deepEqual(rule(translate(["action: ALLOW, rules: [{}]"])), { principals: ANY, permissions: ANY });
});

test("DENY filters run before ALLOW filters, policies are named as in Istio and sorted", () => {
  const { filters } = translate([
    "action: ALLOW, rules: [{}, {}]",
    "action: DENY, rules: [{}]",
    "action: ALLOW, rules: [{}]",
  ]);
  assert.deepEqual(
    filters.map(({ action = "ALLOW", policies }) => [action, ...Object.keys(policies ?? {})]),
    [
      ["DENY", "ns[default]-policy[p1]-rule[0]"],
      [
        "ALLOW",
        "ns[default]-policy[p0]-rule[0]",
        "ns[default]-policy[p0]-rule[1]",
        "ns[default]-policy[p2]-rule[0]",
      ],
    ],
  );
});

test("what a CUSTOM policy would ask about is denied", () => {
  const outcome = translate([
    "action: CUSTOM, provider: { name: opa }, rules: [{ to: [{ operation: { paths: [/a] } }] }]",
  ]);
  assert.equal(outcome.filters[0]?.action, "DENY");
  assert.deepEqual(rule(outcome)?.permissions, [pathIs({ exact: "/a" })]);
  assert.match(outcome.warnings.join(), /opa/);
});

test("AUDIT changes nothing and says so, and a dry-run policy is not enforced", () => {
  const audit = translate(["action: AUDIT, rules: [{}]"]);
  assert.deepEqual(audit.filters, []);
  assert.equal(audit.warnings.length, 1);
  for (const spelling of ["true", "True", "1"]) {
    const dry = translate([`DRY ${spelling} action: DENY, rules: [{}]`]);
    assert.deepEqual(dry.filters, [], spelling);
    assert.match(dry.warnings.join(), /dry-run/);
  }
});
