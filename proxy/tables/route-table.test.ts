import assert from "node:assert/strict";
import { test } from "node:test";
import { finish } from "../../mesh/lifecycle/slices.ts";
import { sampleRequest } from "../../test/harness/sample-request.ts";
import type { HeaderMatch, StringMatch } from "../model/match.ts";
import type {
  FilterSettings,
  ForwardAction,
  MessageEdits,
  PathMatch,
  PathRewrite,
  RedirectAction,
  Route,
  RouteConfiguration,
  VirtualHost,
} from "../model/route.ts";
import { compileRouteTable, type Decision } from "./route-table.ts";

const edits: MessageEdits = { request: { remove: [], add: [] }, response: { remove: [], add: [] } };

const filters: FilterSettings = { fault: undefined, cors: undefined, saysHttp: false };

function forward(cluster: string, fields: Partial<ForwardAction> = {}): ForwardAction {
  return {
    kind: "forward",
    clusters: [{ name: cluster, weight: 1, edits, authorityRewrite: undefined, saysHttp: false }],
    pathRewrite: undefined,
    authorityRewrite: undefined,
    timeoutMs: 0,
    grpcTimeoutMaxMs: undefined,
    idleTimeoutMs: undefined,
    retry: undefined,
    clusterNotFoundStatus: 503,
    mirrors: [],
    hash: [],
    ...fields,
  };
}

const anyPath: PathMatch = { kind: "prefix", value: "/", ignoreCase: false };

function route(
  cluster: string,
  match: Partial<Route["match"]> = {},
  fields: Partial<ForwardAction> = {},
): Route {
  return {
    name: cluster,
    match: { path: anyPath, headers: [], query: [], fraction: 1, metadata: [], ...match },
    action: forward(cluster, fields),
    edits,
    filters,
  };
}

function host(domains: readonly string[], routes: readonly Route[]): VirtualHost {
  return {
    name: domains.join(),
    domains,
    routes,
    edits,
    retry: undefined,
    filters,
    requireTls: false,
    includeAttemptCount: false,
  };
}

function config(hosts: readonly VirtualHost[], fields: Partial<RouteConfiguration> = {}): RouteConfiguration {
  return { name: "r", virtualHosts: hosts, edits, ignorePortInHost: false, onDemand: false, ...fields };
}

function decide(
  hosts: readonly VirtualHost[],
  request: Parameters<typeof sampleRequest>[0],
  random = 0,
): Decision | undefined {
  return finish(compileRouteTable(config(hosts))).decide(sampleRequest(request), () => random);
}

const exact = (value: string): StringMatch => ({ kind: "exact", value, ignoreCase: false });
const header = (name: string, match: StringMatch, fields: Partial<HeaderMatch> = {}): HeaderMatch => ({
  name,
  test: { kind: "string", match },
  invert: false,
  missingIsEmpty: false,
  ...fields,
});

const matching: readonly {
  name: string;
  match: Partial<Route["match"]>;
  yes: Parameters<typeof sampleRequest>[0][];
  no: Parameters<typeof sampleRequest>[0][];
}[] = [
  {
    name: "an exact path, without its query",
    match: { path: { kind: "exact", value: "/a", ignoreCase: false } },
    yes: [{ target: "/a" }, { target: "/a?x" }],
    no: [{ target: "/A" }, { target: "/a/" }],
  },
  {
    name: "an exact path in any case",
    match: { path: { kind: "exact", value: "/Ab", ignoreCase: true } },
    yes: [{ target: "/aB" }],
    no: [{ target: "/abc" }],
  },
  {
    name: "a string prefix",
    match: { path: { kind: "prefix", value: "/api", ignoreCase: false } },
    yes: [{ target: "/api" }, { target: "/apix" }, { target: "/api/v1" }],
    no: [{ target: "/ap" }, { target: "/x/api" }],
  },
  {
    name: "a prefix of whole segments",
    match: { path: { kind: "path-prefix", value: "/api", ignoreCase: false } },
    yes: [{ target: "/api" }, { target: "/api/v1" }],
    no: [{ target: "/apix" }],
  },
  {
    name: "a regex, on the whole path",
    match: { path: { kind: "regex", value: "/v[12]/.*" } },
    yes: [{ target: "/v1/x" }, { target: "/v2/?y" }],
    no: [{ target: "/v3/x" }, { target: "/a/v1/x" }],
  },
  {
    name: "a method",
    match: { headers: [header(":method", exact("POST"))] },
    yes: [{ method: "POST" }],
    no: [{ method: "GET" }, { method: "post" }],
  },
  {
    name: "an authority in any case",
    match: { headers: [header(":authority", { kind: "exact", value: "Server", ignoreCase: true })] },
    yes: [{ authority: "SERVER" }],
    no: [{ authority: "other" }],
  },
  {
    name: "a header that is there",
    match: { headers: [{ ...header("x", exact("")), test: { kind: "present", present: true } }] },
    yes: [{ headers: { x: "" } }],
    no: [{}],
  },
  {
    name: "a header that is not there",
    match: {
      headers: [{ ...header("x", exact("")), test: { kind: "present", present: true }, invert: true }],
    },
    yes: [{}],
    no: [{ headers: { x: "1" } }],
  },
  {
    name: "a header with another value, or without one where that counts as empty",
    match: { headers: [header("x", exact("1"), { invert: true, missingIsEmpty: true })] },
    yes: [{ headers: { x: "2" } }, {}],
    no: [{ headers: { x: "1" } }],
  },
  {
    name: "a header with another value, which must be there",
    match: { headers: [header("x", exact("1"), { invert: true })] },
    yes: [{ headers: { x: "2" } }],
    no: [{ headers: { x: "1" } }, {}],
  },
  {
    name: "a number in a header",
    match: { headers: [{ ...header("x", exact("")), test: { kind: "range", start: 1, end: 10 } }] },
    yes: [{ headers: { x: "1" } }, { headers: { x: "9" } }],
    no: [{ headers: { x: "10" } }, { headers: { x: "1e0" } }, { headers: { x: "" } }, {}],
  },
  {
    name: "query parameters",
    match: {
      query: [
        { name: "v", match: exact("2") },
        { name: "debug", match: undefined },
      ],
    },
    yes: [{ target: "/?debug&v=2" }, { target: "/?v=2&v=3&debug=1" }],
    no: [{ target: "/?v=2" }, { target: "/?debug&v=22" }, { target: "/v=2&debug" }],
  },
];

for (const { name, match, yes, no } of matching) {
  test(`a route matches ${name}`, () => {
    const hosts = [host(["*"], [route("hit", match)])];
    for (const request of yes) assert.equal(decide(hosts, request)?.route, "hit", JSON.stringify(request));
    for (const request of no) assert.equal(decide(hosts, request), undefined, JSON.stringify(request));
  });
}

test("the first matching route wins", () => {
  const hosts = [
    host(
      ["*"],
      [route("first", { path: { kind: "prefix", value: "/a", ignoreCase: false } }), route("second")],
    ),
  ];
  assert.equal(decide(hosts, { target: "/a/b" })?.route, "first");
  assert.equal(decide(hosts, { target: "/b" })?.route, "second");
});

test("the most specific domain wins: exact, longest suffix, longest prefix, any", () => {
  const hosts = ["*", "*.com", "*.a.com", "x.*", "x.a.com", "x.a.com:8080"].map((domain) =>
    host([domain], [route(domain)]),
  );
  const cases: Record<string, string> = {
    "x.a.com": "x.a.com",
    "X.A.COM": "x.a.com",
    "x.a.com:8080": "x.a.com:8080",
    "y.a.com": "*.a.com",
    "b.com": "*.com",
    "x.org": "x.*",
    other: "*",
    ".com": "*",
  };
  for (const [authority, want] of Object.entries(cases))
    assert.equal(decide(hosts, { authority })?.route, want, authority);
});

test("the port of the host can be left out of account", () => {
  const table = finish(compileRouteTable(config([host(["a"], [route("a")])], { ignorePortInHost: true })));
  assert.equal(table.decide(sampleRequest({ authority: "a:80" }), () => 0)?.route, "a");
  assert.equal(decide([host(["a"], [route("a")])], { authority: "a:80" }), undefined);
});

test("weights share out the random numbers, and a weight of 0 never wins", () => {
  const weighted = (name: string, weight: number): ForwardAction["clusters"][number] => ({
    name,
    weight,
    edits,
    authorityRewrite: undefined,
    saysHttp: false,
  });
  const clusters = [weighted("none", 0), weighted("a", 80), weighted("b", 20)];
  const hosts = [host(["*"], [route("x", {}, { clusters })])];
  const at = (random: number): string => {
    const decision = decide(hosts, {}, random);
    return decision?.kind === "forward" ? decision.cluster : "";
  };
  assert.deepEqual([0, 0.799, 0.8, 0.999].map(at), ["a", "a", "b", "b"]);
});

const rewrites: readonly {
  name: string;
  path: PathMatch;
  rewrite: PathRewrite;
  target: string;
  want: string;
}[] = [
  {
    name: "a prefix",
    path: { kind: "prefix", value: "/a/", ignoreCase: false },
    rewrite: { kind: "prefix", value: "/" },
    target: "/a/b?c=/a/",
    want: "/b?c=/a/",
  },
  {
    name: "a prefix matched in another case",
    path: { kind: "prefix", value: "/a", ignoreCase: true },
    rewrite: { kind: "prefix", value: "/x" },
    target: "/A/b",
    want: "/x/b",
  },
  {
    name: "an exact path as a whole",
    path: { kind: "exact", value: "/a", ignoreCase: false },
    rewrite: { kind: "prefix", value: "/x/y" },
    target: "/a?q",
    want: "/x/y?q",
  },
  {
    name: "to nothing as the root",
    path: { kind: "exact", value: "/a", ignoreCase: false },
    rewrite: { kind: "prefix", value: "" },
    target: "/a",
    want: "/",
  },
  {
    name: "by regex with groups",
    path: anyPath,
    rewrite: { kind: "regex", pattern: "^/([^/]+)/(.*)$", substitution: "/\\2/\\1$1" },
    target: "/a/b?x",
    want: "/b/a$1?x",
  },
];

for (const { name, path, rewrite, target, want } of rewrites) {
  test(`rewrites ${name}`, () => {
    const decision = decide([host(["*"], [route("x", { path }, { pathRewrite: rewrite })])], { target });
    assert.equal(decision?.kind === "forward" && decision.target, want);
  });
}

const redirect: RedirectAction = {
  kind: "redirect",
  status: 301,
  scheme: undefined,
  host: undefined,
  port: undefined,
  path: undefined,
  rewrite: undefined,
  stripQuery: false,
};
const redirects: readonly { fields: Partial<RedirectAction>; authority?: string; want: string }[] = [
  { fields: { path: "/new" }, want: "http://server/new?q=1" },
  { fields: { host: "other" }, authority: "server:8080", want: "http://other/old/x?q=1" },
  { fields: { scheme: "https" }, authority: "server:80", want: "https://server/old/x?q=1" },
  { fields: { scheme: "https" }, authority: "server:8080", want: "https://server:8080/old/x?q=1" },
  { fields: { port: 8443, stripQuery: true }, authority: "[::1]:80", want: "http://[::1]:8443/old/x" },
  { fields: { rewrite: { kind: "prefix", value: "/new/" } }, want: "http://server/new/x?q=1" },
];

for (const { fields, authority = "server", want } of redirects) {
  test(`redirects to ${want}`, () => {
    const path: PathMatch = { kind: "prefix", value: "/old/", ignoreCase: false };
    const one: Route = { ...route("x", { path }), action: { ...redirect, ...fields } };
    const decision = decide([host(["*"], [one])], { target: "/old/x?q=1", authority });
    assert.equal(decision?.kind === "redirect" && decision.location, want);
  });
}
