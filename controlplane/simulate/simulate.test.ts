import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, PLAIN_CALL } from "./call.ts";
import { simulate } from "./simulate.ts";
import {
  configOf,
  downstreamTls,
  FILTERS_WITH_EXTRAS,
  httpManager,
  type Json,
  type JsonResources,
  listener,
  named,
  RAW_BUFFER,
  routeConfig,
  staticCluster,
  tcpProxy,
  upstreamTls,
} from "./testing/json-config.ts";
import type { Verdict } from "./verdict.ts";

function outcomeText({ outcome }: Verdict): string {
  switch (outcome.kind) {
    case "error":
      return `${outcome.error.kind} ${outcome.error.status ?? "-"}`;
    case "redirect":
      return `${outcome.status} ${outcome.location}`;
    case "respond":
      return `${outcome.status} ${outcome.body}`;
    case "passthrough":
      return `passthrough ${outcome.address}`;
    case "forward":
      return `forward ${outcome.share}`;
    default:
      return outcome satisfies never;
  }
}

const CLUSTERS = [
  staticCluster("v1", [1]),
  staticCluster("v2", [2]),
  staticCluster("BlackHoleCluster", []),
  staticCluster("none", []),
  { name: "PassthroughCluster", type: "ORIGINAL_DST", lbPolicy: "CLUSTER_PROVIDED", connectTimeout: "1s" },
];

const split = {
  clusters: [
    { name: "v1", weight: 75 },
    { name: "v2", weight: 25 },
    { name: "none", weight: 0 },
  ],
};

function http(routes: readonly Json[], over: Json = {}, manager: Json = {}): JsonResources {
  const filters = [httpManager(routeConfig("r", routes, over), manager)];
  return { listeners: [listener("l", "127.0.0.1", 80, { filterChains: [{ filters }] })], clusters: CLUSTERS };
}

const to = (route: Json): Json => ({ name: "to", match: { prefix: "/" }, route });

function tcp(target: Json): JsonResources {
  const filterChains = [{ filters: [tcpProxy(target)] }];
  return { listeners: [listener("l", "127.0.0.1", 80, { filterChains })], clusters: CLUSTERS };
}

function secured(
  tls: Json,
  filters: readonly Json[] = [httpManager(routeConfig("r", [named("r", { prefix: "/" })]))],
): JsonResources {
  return {
    listeners: [listener("l", "127.0.0.1", 80, { filterChains: [{ filters, transportSocket: tls }] })],
    clusters: CLUSTERS,
  };
}

function intercepted(cluster: string): JsonResources {
  const filterChains = [{ filters: [tcpProxy({ cluster })] }];
  return {
    listeners: [listener("virtual", "0.0.0.0", 15_001, { useOriginalDst: true, filterChains })],
    clusters: CLUSTERS,
  };
}

const hello = { sni: "a.test", alpn: [] };
const shown = { ...PLAIN_CALL.source, principal: "spiffe://cluster.local/ns/default/sa/a" };
const abort = (numerator: number, over: Json = {}): Json => ({
  typedPerFilterConfig: {
    "envoy.filters.http.fault": {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
      abort: { httpStatus: 418, percentage: { numerator } },
      ...over,
    },
  },
});
const cors = (over: Json = {}): Json => ({
  typedPerFilterConfig: {
    "envoy.filters.http.cors": {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
      allowOriginStringMatch: [{ exact: "https://a.test" }],
      ...over,
    },
  },
});
const extras = { httpFilters: FILTERS_WITH_EXTRAS };
const preflight = (origin: string): Partial<Call> => ({
  method: "OPTIONS",
  headers: [
    ["origin", origin],
    ["access-control-request-method", "PUT"],
  ],
});

interface Case {
  readonly name: string;
  readonly resources: JsonResources;
  readonly call?: Partial<Call>;
  readonly pick?: number;
  readonly want: string;
}

const cases: readonly Case[] = [
  { name: "no listener", resources: {}, want: "no-listener -" },
  {
    name: "no filter chain",
    resources: { listeners: [listener("l", "127.0.0.1", 80)] },
    want: "no-filter-chain -",
  },
  {
    name: "a chain without filters",
    resources: { listeners: [listener("l", "127.0.0.1", 80, { filterChains: [{}] })] },
    want: "connection-reset -",
  },
  {
    name: "plain text where TLS is expected",
    resources: secured(downstreamTls()),
    want: "connection-reset -",
  },
  {
    name: "TLS where it is expected",
    resources: secured(downstreamTls()),
    call: { tls: hello },
    want: "200 r",
  },
  {
    name: "no client certificate where one is wanted",
    resources: secured(downstreamTls({}, { requireClientCertificate: true })),
    call: { tls: hello },
    want: "connection-reset -",
  },
  {
    name: "a client certificate where one is wanted",
    resources: secured(downstreamTls({}, { requireClientCertificate: true })),
    call: { tls: hello, source: shown },
    want: "200 r",
  },
  {
    name: "TLS where plain HTTP is expected",
    resources: http([named("r", { prefix: "/" })]),
    call: { tls: hello },
    want: "connection-reset -",
  },
  {
    name: "TLS passes through a TCP proxy",
    resources: tcp({ cluster: "v1" }),
    call: { tls: hello },
    want: "forward 1",
  },
  {
    name: "no HTTP where it is expected",
    resources: http([]),
    call: { protocol: "tcp" },
    want: "connection-reset -",
  },
  {
    name: "HTTP/1.1 where only HTTP/2 is spoken",
    resources: http([], {}, { codecType: "HTTP2" }),
    want: "connection-reset -",
  },
  {
    name: "routes that RDS has not brought",
    resources: http([], {}, { rds: { routeConfigName: "r" } }),
    want: "no-route-configuration -",
  },
  {
    name: "routes by RDS",
    resources: {
      ...http([], {}, { rds: { routeConfigName: "r" } }),
      routes: [routeConfig("r", [named("by-rds", { prefix: "/" })])],
    },
    want: "200 by-rds",
  },
  { name: "no virtual host", resources: http([], { virtualHosts: [] }), want: "no-virtual-host 404" },
  { name: "no route", resources: http([named("r", { path: "/x" })]), want: "no-route 404" },
  {
    name: "a route without a match",
    resources: http([{ name: "odd", directResponse: { status: 200 } }]),
    want: "no-route 404",
  },
  { name: "no cluster", resources: http([to({ cluster: "x" })]), want: "no-cluster 503" },
  {
    name: "no cluster, with a status of the route's choice",
    resources: http([to({ cluster: "x", clusterNotFoundResponseCode: "INTERNAL_SERVER_ERROR" })]),
    want: "no-cluster 500",
  },
  { name: "no endpoint", resources: http([to({ cluster: "none" })]), want: "no-healthy-upstream 503" },
  { name: "the black hole", resources: http([to({ cluster: "BlackHoleCluster" })]), want: "black-hole 503" },
  {
    name: "the black hole of a connection",
    resources: tcp({ cluster: "BlackHoleCluster" }),
    want: "black-hole -",
  },
  { name: "forwarded", resources: http([to({ cluster: "v1" })]), want: "forward 1" },
  {
    name: "a cluster that a header names",
    resources: http([to({ clusterHeader: "x-to" })]),
    call: { headers: [["x-to", "v2"]] },
    want: "forward 1",
  },
  {
    name: "a cluster that no header names",
    resources: http([to({ clusterHeader: "x-to" })]),
    want: "no-cluster 503",
  },
  {
    name: "a part of the calls",
    resources: http([
      to({
        weightedClusters: {
          clusters: [
            { name: "v1", weight: 1 },
            { name: "x", weight: 3 },
          ],
        },
      }),
    ]),
    want: "forward 0.25",
  },
  {
    name: "passing through to where it wanted to go",
    resources: intercepted("PassthroughCluster"),
    call: { address: "1.2.3.4", port: 25, protocol: "tcp" },
    want: "passthrough 1.2.3.4:25",
  },
  {
    name: "nothing to pass through to without interception",
    resources: tcp({ cluster: "PassthroughCluster" }),
    want: "no-healthy-upstream -",
  },
  {
    name: "every call aborted",
    resources: http([{ ...to({ cluster: "v1" }), ...abort(100) }], {}, extras),
    want: "fault 418",
  },
  {
    name: "some calls aborted",
    resources: http([{ ...to({ cluster: "v1" }), ...abort(30) }], {}, extras),
    want: "forward 1",
  },
  {
    name: "a fault without its filter",
    resources: http([{ ...to({ cluster: "v1" }), ...abort(100) }]),
    want: "forward 1",
  },
  {
    name: "a fault for others",
    resources: http(
      [{ ...to({ cluster: "v1" }), ...abort(100, { headers: [{ name: "x-user" }] }) }],
      {},
      extras,
    ),
    want: "forward 1",
  },
  {
    name: "a preflight from an allowed origin",
    resources: http([{ ...to({ cluster: "v1" }), ...cors() }], {}, extras),
    call: preflight("https://a.test"),
    want: "200 ",
  },
  {
    name: "a preflight from another origin",
    resources: http([{ ...to({ cluster: "v1" }), ...cors() }], {}, extras),
    call: preflight("https://b.test"),
    want: "forward 1",
  },
  {
    name: "a preflight that is not forwarded",
    resources: http(
      [{ ...to({ cluster: "v1" }), ...cors({ forwardNotMatchingPreflights: false }) }],
      {},
      extras,
    ),
    call: preflight("https://b.test"),
    want: "200 ",
  },
  {
    name: "a virtual host that wants TLS",
    resources: http([], { virtualHosts: [{ name: "v", domains: ["*"], requireTls: "ALL" }] }),
    call: { host: "a.test", path: "/x?y" },
    want: "301 https://a.test/x?y",
  },
  {
    name: "a path with a fragment",
    resources: http([named("r", { prefix: "/" })]),
    call: { path: "/a#b" },
    want: "bad-request 400",
  },
  {
    name: "an escaped slash that is refused",
    resources: http([named("r", { prefix: "/" })], {}, { pathWithEscapedSlashesAction: "REJECT_REQUEST" }),
    call: { path: "/a%2Fb" },
    want: "bad-request 400",
  },
  {
    name: "an escaped slash that is redirected",
    resources: http(
      [named("r", { prefix: "/" })],
      {},
      { pathWithEscapedSlashesAction: "UNESCAPE_AND_REDIRECT" },
    ),
    call: { path: "/a%2Fb?c" },
    want: "307 /a/b?c",
  },
];

for (const { name, resources, call, want } of cases) {
  test(`simulates ${name}`, () => {
    assert.equal(
      outcomeText(simulate(configOf(resources), { ...PLAIN_CALL, host: "x.test", ...call })),
      want,
    );
  });
}

test("weights are answered with their shares, or by the pick", () => {
  const config = configOf(http([to({ weightedClusters: split })]));
  const targets = (pick?: number): unknown =>
    simulate(config, PLAIN_CALL, pick === undefined ? {} : { pick }).upstreams.map(({ cluster, share }) => [
      cluster,
      share,
    ]);
  assert.deepEqual(targets(), [
    ["v1", 0.75],
    ["v2", 0.25],
  ]);
  assert.deepEqual(
    [0, 0.74].flatMap((pick) => targets(pick)),
    [
      ["v1", 0.75],
      ["v1", 0.75],
    ],
  );
  assert.deepEqual(
    [0.75, 0.999].flatMap((pick) => targets(pick)),
    [
      ["v2", 0.25],
      ["v2", 0.25],
    ],
  );
});

test("a runtime fraction lets the other calls pass on", () => {
  const part = (name: string, numerator: number): Json =>
    named(name, { prefix: "/", runtimeFraction: { defaultValue: { numerator } } });
  const config = configOf(http([part("a", 20), part("b", 50), named("rest", { prefix: "/" })]));
  const { route } = simulate(config, PLAIN_CALL);
  assert.deepEqual([route?.name, route?.share], ["a", 0.2]);
  assert.deepEqual(route?.otherwise, [
    { name: "b", index: 1, share: 0.4 },
    { name: "rest", index: 2, share: 0.4 },
  ]);
  const picked = [0.1, 0.3, 0.7].map((pick) => simulate(config, PLAIN_CALL, { pick }).route?.name);
  assert.deepEqual(picked, ["a", "b", "rest"]);
});

test("a request's edits are told with their defaults", () => {
  const edits = (route: Json, over: Json = {}): unknown => {
    const { action } = simulate(configOf(http([{ ...to(route), ...over }], {}, extras)), PLAIN_CALL);
    return action?.kind === "forward" ? { ...action.edits, hashOn: action.hashOn } : undefined;
  };
  const none = {
    path: "/",
    authority: "",
    requestHeaders: [],
    responseHeaders: [],
    timeoutMs: 15_000,
    retries: undefined,
    fault: undefined,
    mirrors: [],
    hashOn: [],
  };
  assert.deepEqual(edits({ cluster: "v1" }), none);
  const all = edits(
    {
      cluster: "v1",
      timeout: "0s",
      retryPolicy: { retryOn: "5xx", numRetries: 3, perTryTimeout: "0.25s" },
      hostRewriteLiteral: "b.test",
      prefixRewrite: "/b/",
      hashPolicy: [
        { header: { headerName: "x-user" } },
        { cookie: { name: "sid" } },
        { connectionProperties: { sourceIp: true } },
      ],
      requestMirrorPolicies: [
        { cluster: "v2", runtimeFraction: { defaultValue: { numerator: 10 } } },
        { cluster: "v1" },
      ],
    },
    {
      requestHeadersToRemove: ["x-old"],
      requestHeadersToAdd: [
        { header: { key: "x-new", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "x-too", value: "2" } },
        { header: { key: "x-if", value: "3" }, appendAction: "ADD_IF_ABSENT" },
      ],
      responseHeadersToAdd: [{ header: { key: "x-out", value: "4" }, append: false }],
      ...abort(30, {
        delay: { fixedDelay: "2s", percentage: { numerator: 5, denominator: "TEN_THOUSAND" } },
      }),
    },
  );
  assert.deepEqual(all, {
    path: "/b/",
    authority: "b.test",
    requestHeaders: ["remove x-old", "set x-new: 1", "add x-too: 2", "add if absent x-if: 3"],
    responseHeaders: ["set x-out: 4"],
    timeoutMs: undefined,
    retries: { attempts: 3, on: "5xx", perTryTimeoutMs: 250 },
    fault: { delay: { ms: 2000, share: 0.0005 }, abort: { status: "418", share: 0.3 } },
    mirrors: [
      { cluster: "v2", share: 0.1 },
      { cluster: "v1", share: 1 },
    ],
    hashOn: ["header x-user", "cookie sid", "source address"],
  });
});

test("an endpoint is spoken to as its metadata asks", () => {
  const at = (port: number, tlsMode?: string): Json => ({
    endpoint: { address: { socketAddress: { address: "10.0.0.1", portValue: port } } },
    ...(tlsMode && { metadata: { filterMetadata: { "envoy.transport_socket_match": { tlsMode } } } }),
  });
  const cluster = {
    name: "v1",
    type: "EDS",
    connectTimeout: "1s",
    edsClusterConfig: { serviceName: "v1-endpoints" },
    transportSocketMatches: [
      { name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: upstreamTls("v1.sni") },
      { name: "tlsMode-disabled", match: {}, transportSocket: RAW_BUFFER },
    ],
  };
  const locality = { region: "eu", zone: "a" };
  const resources = {
    ...http([to({ cluster: "v1" })]),
    clusters: [cluster],
    assignments: [
      {
        clusterName: "v1-endpoints",
        endpoints: [
          { locality, lbEndpoints: [at(1, "istio"), at(2), { ...at(3), healthStatus: "DRAINING" }] },
        ],
      },
    ],
  };
  const [upstream] = simulate(configOf(resources), PLAIN_CALL).upstreams;
  assert.deepEqual(
    upstream?.endpoints.map(({ address, healthy, locality, share, transport: { kind, match, sni } }) =>
      [address, locality, healthy, share, kind, match, sni].join(" "),
    ),
    [
      "10.0.0.1:1 eu/a true 0.5 tls tlsMode-istio v1.sni",
      "10.0.0.1:2 eu/a true 0.5 plaintext tlsMode-disabled ",
      "10.0.0.1:3 eu/a false 0 plaintext tlsMode-disabled ",
    ],
  );
});

test("a TCP proxy splits by weight, and its connections are told apart from requests", () => {
  const { action, upstreams } = simulate(configOf(tcp({ weightedClusters: split })), {
    ...PLAIN_CALL,
    protocol: "tcp",
  });
  assert.deepEqual(action, {
    kind: "forward",
    level: "tcp",
    targets: [
      { cluster: "v1", share: 0.75, edits: [] },
      { cluster: "v2", share: 0.25, edits: [] },
    ],
    hashOn: [],
    edits: undefined,
  });
  assert.deepEqual(
    upstreams.map(({ endpoints }) => endpoints[0]?.address),
    ["127.0.0.1:1", "127.0.0.1:2"],
  );
});
