import assert from "node:assert/strict";
import { test } from "node:test";
import { subsetLabels } from "./subset-labels.ts";
import { translated } from "./testing/translated.ts";

/** Filters of subsets, the labels that they mean, and whether instances need something for it. */
const FILTERS: readonly (readonly [filter: string, labels: object, todo: RegExp | undefined])[] = [
  ["", {}, undefined],
  ["Service.Meta.version == v1", { version: "v1" }, undefined],
  ['Service.Meta.version == "v1"', { version: "v1" }, undefined],
  ['Service.Meta["lateen-version"] == "v1"', { version: "v1" }, undefined],
  ["Service.Meta.lateen-label-tier == gold", { tier: "gold" }, undefined],
  ["Service.Meta.tier == gold", { tier: "gold" }, /meta lateen-label-tier=gold/],
  ['"lateen.version=v1" in Service.Tags', { version: "v1" }, undefined],
  ['"lateen.label.tier=gold" in Service.Tags', { tier: "gold" }, undefined],
  ['"v1" in Service.Tags', { version: "v1" }, /the tag lateen\.version=v1/],
  ['Service.Tags contains "v1"', { version: "v1" }, /the tag lateen\.version=v1/],
  [
    'Service.Meta.version == v1 and "lateen.label.tier=gold" in Service.Tags',
    { version: "v1", tier: "gold" },
    undefined,
  ],
  [
    "Service.Meta.version == v1 and Service.Meta.version == v2",
    { "consul-subset": "s" },
    /lateen-label-consul-subset=s/,
  ],
  ["Service.Meta.version != v1", { "consul-subset": "s" }, /lateen-label-consul-subset=s/],
  [
    "Service.Meta.version == v1 or Service.Meta.version == v2",
    { "consul-subset": "s" },
    /lateen-label-consul-subset=s/,
  ],
  ["not Service.Meta.version == v1", { "consul-subset": "s" }, /lateen-label-consul-subset=s/],
];

for (const [filter, labels, todo] of FILTERS) {
  test(`a subset of the filter ${filter || "that is empty"}`, () => {
    const found = subsetLabels("s", filter);
    assert.deepEqual(found.labels, labels);
    if (todo === undefined) assert.deepEqual(found.todo, []);
    else assert.match(found.todo.join(), todo);
  });
}

/** Settings of a service-resolver, and the traffic policy that they become. */
const RESOLVERS: readonly (readonly [name: string, settings: object, want: object])[] = [
  ["connect time-out", { ConnectTimeout: "15s" }, { connectionPool: { tcp: { connectTimeout: "15s" } } }],
  [
    "connect time-out in nanoseconds",
    { ConnectTimeout: 5e8 },
    { connectionPool: { tcp: { connectTimeout: "500ms" } } },
  ],
  ["random", { LoadBalancer: { Policy: "random" } }, { loadBalancer: { simple: "RANDOM" } }],
  ["round robin", { LoadBalancer: { Policy: "round_robin" } }, { loadBalancer: { simple: "ROUND_ROBIN" } }],
  [
    "least request",
    { LoadBalancer: { Policy: "least_request" } },
    { loadBalancer: { simple: "LEAST_REQUEST" } },
  ],
  [
    "a ring by header",
    {
      LoadBalancer: {
        Policy: "ring_hash",
        RingHashConfig: { MinimumRingSize: 2048 },
        HashPolicies: [{ Field: "header", FieldValue: "x-user" }],
      },
    },
    { loadBalancer: { consistentHash: { httpHeaderName: "x-user", ringHash: { minimumRingSize: 2048 } } } },
  ],
  [
    "Maglev by cookie",
    {
      LoadBalancer: {
        Policy: "maglev",
        HashPolicies: [{ Field: "cookie", FieldValue: "c", CookieConfig: { TTL: "30s", Path: "/" } }],
      },
    },
    {
      loadBalancer: {
        consistentHash: { httpCookie: { name: "c", path: "/", ttl: "30s" }, maglev: { tableSize: 65537 } },
      },
    },
  ],
  [
    "a ring by query parameter",
    { LoadBalancer: { Policy: "ring_hash", HashPolicies: [{ Field: "query_parameter", FieldValue: "q" }] } },
    { loadBalancer: { consistentHash: { httpQueryParameterName: "q" } } },
  ],
  [
    "a ring by address",
    { LoadBalancer: { Policy: "ring_hash", HashPolicies: [{ SourceIP: true }] } },
    { loadBalancer: { consistentHash: { useSourceIp: true } } },
  ],
  ["a ring by nothing", { LoadBalancer: { Policy: "ring_hash" } }, { loadBalancer: { simple: "RANDOM" } }],
];

for (const [name, settings, want] of RESOLVERS) {
  test(`service-resolver: ${name}`, () => {
    const { specs, losses } = translated([{ Kind: "service-resolver", Name: "api", ...settings }]);
    assert.deepEqual(specs, { "DestinationRule shop/api": { host: "api", trafficPolicy: want } });
    assert.deepEqual(losses, []);
  });
}

test("service-defaults: a caller's settings of an upstream are a rule for that caller, with the subsets", () => {
  const { specs, losses } = translated([
    {
      Kind: "service-defaults",
      Name: "web",
      UpstreamConfig: {
        Overrides: [
          {
            Name: "api",
            ConnectTimeoutMs: 900,
            Limits: { MaxConnections: 7, MaxPendingRequests: 2, MaxConcurrentRequests: 3 },
            PassiveHealthCheck: {
              Interval: "5s",
              MaxFailures: 3,
              BaseEjectionTime: "40s",
              MaxEjectionPercent: 50,
            },
          },
        ],
        Defaults: { Limits: { MaxConnections: 4 }, PassiveHealthCheck: { MaxFailures: 3 } },
      },
    },
    {
      Kind: "service-resolver",
      Name: "api",
      ConnectTimeout: "3s",
      LoadBalancer: { Policy: "random" },
      Subsets: { v1: { Filter: "Service.Meta.version == v1" } },
    },
  ]);
  assert.deepEqual(specs["DestinationRule shop/web-to-api"], {
    host: "api",
    workloadSelector: { matchLabels: { app: "web" } },
    trafficPolicy: {
      loadBalancer: { simple: "RANDOM" },
      connectionPool: {
        tcp: { maxConnections: 7, connectTimeout: "900ms" },
        http: { http1MaxPendingRequests: 2, http2MaxRequests: 3 },
      },
      outlierDetection: {
        consecutive5xxErrors: 3,
        interval: "5s",
        baseEjectionTime: "40s",
        maxEjectionPercent: 50,
      },
    },
    subsets: [{ name: "v1", labels: { version: "v1" } }],
  });
  assert.deepEqual(
    losses.map(({ name, field }) => [name, field]),
    [["web", "UpstreamConfig.Defaults"]],
  );
});

test("service-defaults and proxy-defaults: mutual TLS, inbound connections, and a protocol that is told", () => {
  const { specs, losses } = translated([
    {
      Kind: "service-defaults",
      Name: "web",
      Protocol: "grpc",
      MutualTLSMode: "permissive",
      MaxInboundConnections: 9,
    },
    { Kind: "proxy-defaults", Name: "global", MutualTLSMode: "strict", Config: { protocol: "http" } },
  ]);
  assert.deepEqual(specs, {
    "PeerAuthentication shop/default": { mtls: { mode: "STRICT" } },
    "PeerAuthentication shop/web": {
      selector: { matchLabels: { app: "web" } },
      mtls: { mode: "PERMISSIVE" },
    },
    "Sidecar shop/web": {
      workloadSelector: { labels: { app: "web" } },
      inboundConnectionPool: { tcp: { maxConnections: 9 } },
    },
  });
  assert.deepEqual(
    losses.map(({ field, meaning }) => [field, /lateen-protocol=\w+/.exec(meaning)?.[0]]),
    [
      ["Protocol", "lateen-protocol=grpc"],
      ["Config.protocol", "lateen-protocol=http"],
    ],
  );
});

const WEB = "*/ns/shop/sa/web";

function intentions(sources: readonly object[], more: object = {}): Readonly<Record<string, unknown>> {
  return { Kind: "service-intentions", Name: "api", Sources: sources, ...more };
}

test("intentions: where all is denied, an ALLOW for each service and nothing else", () => {
  const { specs } = translated(
    [
      intentions([
        { Name: "web", Action: "allow" },
        { Name: "db", Action: "deny" },
      ]),
    ],
    "deny",
  );
  assert.deepEqual(specs, {
    "AuthorizationPolicy shop/consul-any-destination": { action: "ALLOW" },
    "AuthorizationPolicy shop/api-allow": {
      selector: { matchLabels: { app: "api" } },
      action: "ALLOW",
      rules: [{ from: [{ source: { principals: [WEB] } }] }],
    },
  });
});

test("intentions: where all is allowed, a DENY that leaves out whom a more exact intention lets in", () => {
  const { specs } = translated([
    intentions([
      { Name: "*", Action: "deny" },
      { Name: "web", Action: "allow" },
    ]),
  ]);
  assert.deepEqual(specs, {
    "AuthorizationPolicy shop/api-deny": {
      selector: { matchLabels: { app: "api" } },
      action: "DENY",
      rules: [{ from: [{ source: { notPrincipals: [WEB] } }] }],
    },
  });
});

test("intentions: namespaces of Consul's are namespaces here, and `*` in one is its services", () => {
  const sources = [
    { Name: "*", Namespace: "billing", Action: "allow" },
    { Name: "web", Namespace: "billing", Action: "deny" },
  ];
  const { specs } = translated([intentions(sources, { Namespace: "shop" })], "deny");
  assert.deepEqual(specs["AuthorizationPolicy shop/api-allow"], {
    selector: { matchLabels: { app: "api" } },
    action: "ALLOW",
    rules: [{ from: [{ source: { namespaces: ["billing"], notPrincipals: ["*/ns/billing/sa/web"] } }] }],
  });
});

test("intentions: those of `*` in every namespace come after those of `*` in one", () => {
  const star = { Kind: "service-intentions", Name: "*" };
  const { specs } = translated(
    [
      { ...star, Namespace: "*", Sources: [{ Name: "*", Namespace: "*", Action: "allow" }] },
      { ...star, Namespace: "billing", Sources: [{ Name: "web", Namespace: "shop", Action: "deny" }] },
    ],
    "deny",
  );
  const allowing = (source: object): object => ({ action: "ALLOW", rules: [{ from: [{ source }] }] });
  assert.deepEqual(specs, {
    "AuthorizationPolicy billing/consul-any-destination": allowing({
      principals: ["*"],
      notPrincipals: [WEB],
    }),
  });
});

/** Permissions that no policy can say: what is reported, and that the source is let in no further than it was. */
const UNSAYABLE: readonly (readonly [field: string, http: object])[] = [
  ["HTTP.PathRegex", { PathRegex: "/a/[0-9]+" }],
  ["HTTP.PathExact", { PathExact: "/a*" }],
  ["HTTP.Header[].Contains", { Header: [{ Name: "a", Contains: "b" }] }],
  ["HTTP.Header[].IgnoreCase", { Header: [{ Name: "a", Exact: "b", IgnoreCase: true }] }],
  ["HTTP.Query", { Query: "a=b" }],
  ["HTTP.Header[]", { Header: [{ Name: "a", Regex: "[ab]" }] }],
];

for (const [field, HTTP] of UNSAYABLE) {
  test(`intentions: a permission with ${field} lets nobody in, and denies altogether where it denied`, () => {
    const allowing = translated(
      [intentions([{ Name: "web", Permissions: [{ Action: "allow", HTTP }] }])],
      "deny",
    );
    assert.deepEqual(Object.keys(allowing.specs), ["AuthorizationPolicy shop/consul-any-destination"]);
    const denying = translated([intentions([{ Name: "web", Permissions: [{ Action: "deny", HTTP }] }])]);
    assert.deepEqual(denying.specs["AuthorizationPolicy shop/api-deny"], {
      selector: { matchLabels: { app: "api" } },
      action: "DENY",
      rules: [{ from: [{ source: { principals: [WEB] } }] }],
    });
    for (const { losses } of [allowing, denying])
      assert.deepEqual(
        new Set(losses.map((loss) => loss.field)),
        new Set([`Sources[].Permissions[].${field}`]),
      );
  });
}

test("intentions: a token of a provider, with a claim", () => {
  const JWT = { Providers: [{ Name: "okta", VerifyClaims: [{ Path: ["perms", "role"], Value: "admin" }] }] };
  const provider = {
    Kind: "jwt-provider",
    Name: "okta",
    Issuer: "https://okta.example",
    Audiences: ["api"],
    JSONWebKeySet: { Remote: { URI: "https://okta.example/keys" } },
    Locations: [{ Header: { Name: "x-token", ValuePrefix: "Bearer ", Forward: true } }],
  };
  const Permissions = [{ Action: "allow", HTTP: { PathPrefix: "/admin" }, JWT }];
  const { specs, losses } = translated([provider, intentions([{ Name: "web", Permissions }])], "deny");
  assert.deepEqual(losses, []);
  const selector = { matchLabels: { app: "api" } };
  assert.deepEqual(specs["AuthorizationPolicy shop/api-allow"], {
    selector,
    action: "ALLOW",
    rules: [
      {
        from: [{ source: { principals: [WEB], requestPrincipals: ["https://okta.example/*"] } }],
        to: [{ operation: { paths: ["/admin*"] } }],
        when: [{ key: "request.auth.claims[perms][role]", values: ["admin"] }],
      },
    ],
  });
  assert.deepEqual(specs["RequestAuthentication shop/api"], {
    selector,
    jwtRules: [
      {
        issuer: "https://okta.example",
        audiences: ["api"],
        jwksUri: "https://okta.example/keys",
        fromHeaders: [{ name: "x-token", prefix: "Bearer " }],
        forwardOriginalToken: true,
      },
    ],
  });
});

test("intentions: callers of another cluster are told and let in by nothing", () => {
  const { specs, losses } = translated(
    [intentions([{ Name: "web", Peer: "east", Action: "allow" }])],
    "deny",
  );
  assert.deepEqual(Object.keys(specs), ["AuthorizationPolicy shop/consul-any-destination"]);
  assert.deepEqual(
    losses.map(({ field }) => field),
    ["Sources[]"],
  );
});

/** Entries of which nothing is read, wholly or in part. */
const LOST: readonly (readonly [entry: Readonly<Record<string, unknown>>, field: string, meaning: RegExp])[] =
  [
    [{ Kind: "terminating-gateway", Name: "out" }, "", /ServiceEntries/],
    [{ Kind: "something-new", Name: "x" }, "", /no equivalent/],
    [
      { Kind: "service-resolver", Name: "a", Failover: { "*": { Datacenters: ["dc2"], Service: "b" } } },
      "Failover",
      /localityLbSetting/,
    ],
    [
      { Kind: "service-resolver", Name: "a", Redirect: { Datacenter: "dc2" } },
      "Redirect.Datacenter",
      /another datacenter/,
    ],
    [
      { Kind: "service-router", Name: "a", Routes: [{ Destination: { IdleTimeout: "5s" } }] },
      "Routes[].Destination.IdleTimeout",
      /idle/,
    ],
    [
      { Kind: "proxy-defaults", Name: "global", Config: { envoy_tracing_json: "{}" } },
      "Config.envoy_tracing_json",
      /Telemetry/,
    ],
    [
      { Kind: "service-defaults", Name: "a", RateLimits: { InstanceLevel: { RequestsPerSecond: 4 } } },
      "RateLimits.InstanceLevel.RequestsPerSecond",
      /left out/,
    ],
  ];

for (const [entry, field, meaning] of LOST) {
  test(`of ${String(entry["Kind"])} the report names ${field || "the whole"}`, () => {
    const { losses } = translated([entry]);
    assert.deepEqual(
      losses.map((loss) => loss.field),
      [field],
    );
    assert.match(losses[0]?.meaning ?? "", meaning);
  });
}
