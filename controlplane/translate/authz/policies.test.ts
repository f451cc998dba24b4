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

interface PrintedRules {
  readonly action?: string;
  readonly policies?: Record<string, Rule>;
}

interface Outcome {
  readonly filters: readonly PrintedRules[];
  /** By the prefix under which they are counted. */
  readonly shadows: Readonly<Record<string, PrintedRules>>;
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
    { trustDomains: ["mesh.example"], port: { app: 8080, inbound: 21000 }, http: true, ...over },
    ({ subject, message }) => warnings.push(`${subject} ${message}`),
  );
  const print = (rules: RBAC): PrintedRules =>
    json.resourceToJson(
      "type.googleapis.com/envoy.config.rbac.v3.RBAC",
      RBAC.encode(rules).finish(),
    ) as unknown as PrintedRules;
  return {
    filters: filters.flatMap(({ enforced }) => (enforced ? [print(enforced)] : [])),
    shadows: Object.fromEntries(
      filters.flatMap(({ shadow, shadowPrefix }) => (shadow ? [[shadowPrefix, print(shadow)]] : [])),
    ),
    warnings,
  };
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

const CLAIMS = "envoy.filters.http.jwt_authn";
const metadata = (path: readonly string[], value: JsonValue): JsonValue => ({
  sourcedMetadata: {
    metadataMatcher: { filter: CLAIMS, path: ["payload", ...path].map((key) => ({ key })), value },
  },
});
const issued = (iss: JsonValue, sub: JsonValue): JsonValue => ({
  andIds: { ids: [metadata(["iss"], { stringMatch: iss }), metadata(["sub"], { stringMatch: sub })] },
});
const either = (value: JsonValue): JsonValue => ({
  orMatch: { valueMatchers: [{ listMatch: { oneOf: { stringMatch: value } } }, { stringMatch: value }] },
});
const SOME = { safeRegex: { regex: ".+" } };

const tokens: readonly (readonly [when: string, want: JsonValue])[] = [
  ["key: request.auth.principal, values: [a/b]", issued({ exact: "a" }, { exact: "b" })],
  ['key: request.auth.principal, values: ["*"]', issued(SOME, SOME)],
  [
    'key: request.auth.principal, values: ["a/b*"]',
    { orIds: { ids: [issued({ exact: "a" }, { prefix: "b" }), issued({ prefix: "a/b" }, SOME)] } },
  ],
  [
    'key: request.auth.principal, values: ["*a/b"]',
    { orIds: { ids: [issued({ suffix: "a" }, { exact: "b" }), issued(SOME, { suffix: "a/b" })] } },
  ],
  [
    'key: request.auth.principal, values: ["https://a/b"]',
    {
      orIds: {
        ids: [
          issued({ exact: "https:" }, { exact: "/a/b" }),
          issued({ exact: "https:/" }, { exact: "a/b" }),
          issued({ exact: "https://a" }, { exact: "b" }),
        ],
      },
    },
  ],
  ["key: request.auth.audiences, values: [a]", metadata(["aud"], either({ exact: "a" }))],
  ["key: request.auth.presenter, values: [a]", metadata(["azp"], either({ exact: "a" }))],
  ['key: "request.auth.claims[g]", values: ["a*"]', metadata(["g"], either({ prefix: "a" }))],
  [
    'key: "request.auth.claims[g][h]", notValues: [a]',
    { notId: metadata(["g", "h"], either({ exact: "a" })) },
  ],
];
for (const [when, want] of tokens) {
  test(`when { ${when} } asks the claims of a verified token`, () => {
    const outcome = translate([`action: DENY, rules: [{ when: [{ ${when} }] }]`]);
    assert.deepEqual(rule(outcome), { principals: [want], permissions: ANY });
    assert.deepEqual(outcome.warnings, []);
  });
}

test("a source can be a request principal, and the absence of one", () => {
  const any = translate(['action: ALLOW, rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }]']);
  assert.deepEqual(rule(any), { principals: [issued(SOME, SOME)], permissions: ANY });
  const none = translate(['action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }] }]']);
  assert.deepEqual(rule(none), { principals: [{ notId: issued(SOME, SOME) }], permissions: ANY });
});

for (const [value, want] of [
  ["a", { stringMatch: { exact: "a" } }],
  ["[a*]", { listMatch: { oneOf: { stringMatch: { prefix: "a" } } } }],
] as const) {
  test(`experimental.envoy.filters asks what another filter left behind: ${value}`, () => {
    const when = `key: "experimental.envoy.filters.x.y[z]", values: ["${value}"]`;
    assert.deepEqual(rule(translate([`action: DENY, rules: [{ when: [{ ${when} }] }]`]))?.permissions, [
      {
        sourcedMetadata: {
          metadataMatcher: { filter: "envoy.filters.x.y", path: [{ key: "z" }], value: want },
        },
      },
    ]);
  });
}

for (const key of ["request.auth.claims[group]", "request.auth.principal", "request.headers[a]"]) {
  test(`on a TCP port a condition on ${key} drops an ALLOW rule and widens a DENY rule`, () => {
    const when = `to: [{ operation: { ports: ["8080"] } }], when: [{ key: "${key}", values: [x] }]`;
    const tcp = { http: false };
    assert.deepEqual(rule(translate([`action: ALLOW, rules: [{ ${when} }]`], tcp)), NEVER);
    assert.deepEqual(rule(translate([`action: DENY, rules: [{ ${when} }]`], tcp))?.permissions, [
      { destinationPort: 21000 },
    ]);
  });
}

const ALIASES = { trustDomains: ["mesh.example", "old.example"] } as const;
const inOld = (rest: string): JsonValue => by({ exact: `spiffe://old.example/${rest}` });
const inMesh = (rest: string): JsonValue => by({ exact: `spiffe://mesh.example/${rest}` });

for (const [source, want] of [
  ["principals: [old.example/ns/a/sa/b]", [inMesh("ns/a/sa/b"), inOld("ns/a/sa/b")]],
  ["principals: [mesh.example/ns/a/sa/b]", [inMesh("ns/a/sa/b"), inOld("ns/a/sa/b")]],
  ["principals: [cluster.local/ns/a/sa/b]", [inMesh("ns/a/sa/b"), inOld("ns/a/sa/b")]],
  ["serviceAccounts: [a/b]", [inMesh("ns/a/sa/b"), inOld("ns/a/sa/b")]],
  [
    "namespaces: [a]",
    [by({ prefix: "spiffe://mesh.example/ns/a/" }), by({ prefix: "spiffe://old.example/ns/a/" })],
  ],
] as const) {
  test(`a mesh that was renamed means its peers under all names: ${source}`, () => {
    const outcome = translate([`action: ALLOW, rules: [{ from: [{ source: { ${source} } }] }]`], ALIASES);
    assert.deepEqual(rule(outcome)?.principals, [{ orIds: { ids: want } }]);
  });
}

test("an alias widens no principal of another mesh", () => {
  const source = "principals: [else.example/ns/a/sa/b]";
  const outcome = translate([`action: ALLOW, rules: [{ from: [{ source: { ${source} } }] }]`], ALIASES);
  assert.deepEqual(rule(outcome)?.principals, [by({ exact: "spiffe://else.example/ns/a/sa/b" })]);
});

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

test("what a CUSTOM policy asks about is denied when its authorizer cannot be asked", () => {
  const outcome = translate([
    "action: CUSTOM, provider: { name: opa }, rules: [{ to: [{ operation: { paths: [/a] } }] }]",
  ]);
  assert.equal(outcome.filters[0]?.action, "DENY");
  assert.deepEqual(rule(outcome)?.permissions, [pathIs({ exact: "/a" })]);
});

test("AUDIT only logs, before anything is decided", () => {
  const { filters } = translate(["action: DENY, rules: [{}]", "action: AUDIT, rules: [{}]"]);
  assert.deepEqual(
    filters.map(({ action, policies }) => [action, ...Object.keys(policies ?? {})]),
    [
      ["LOG", "ns[default]-policy[p1]-rule[0]"],
      ["DENY", "ns[default]-policy[p0]-rule[0]"],
    ],
  );
});

test("a dry-run policy is counted and not enforced, beside those that are", () => {
  const { filters, shadows } = translate([
    "DRY true action: DENY, rules: [{}]",
    "action: DENY, rules: [{}]",
    "DRY True action: ALLOW, rules: [{}]",
  ]);
  const shown = ({ action = "ALLOW", policies }: PrintedRules): readonly string[] => [
    action,
    ...Object.keys(policies ?? {}),
  ];
  assert.deepEqual(filters.map(shown), [["DENY", "ns[default]-policy[p1]-rule[0]"]]);
  assert.deepEqual(
    Object.entries(shadows).map(([prefix, rules]) => [prefix, ...shown(rules)]),
    [
      ["istio_dry_run_deny_", "DENY", "ns[default]-policy[p0]-rule[0]"],
      ["istio_dry_run_allow_", "ALLOW", "ns[default]-policy[p2]-rule[0]"],
    ],
  );
});
