import type { Call } from "../call.ts";
import type { Json } from "./json-config.ts";

/** Routes that redirect or rewrite, each below its own first path segment, and the calls to try them with. */

const redirects: Readonly<Record<string, Json>> = {
  https: { httpsRedirect: true },
  scheme: { schemeRedirect: "ftp" },
  host: { hostRedirect: "new.test" },
  "host-port": { hostRedirect: "new.test", portRedirect: 8080 },
  port: { portRedirect: 8443 },
  "https-port": { httpsRedirect: true, portRedirect: 8443 },
  path: { pathRedirect: "/fixed" },
  "path-with-query": { pathRedirect: "/fixed?z=1" },
  "path-stripped": { pathRedirect: "/fixed", stripQuery: true },
  "path-query-stripped": { pathRedirect: "/fixed?z=1", stripQuery: true },
  prefix: { prefixRewrite: "/moved" },
  "prefix-stripped": { prefixRewrite: "/moved", stripQuery: true },
  regex: { regexRewrite: { pattern: { regex: "^/regex/([a-z]+)/([a-z]+)" }, substitution: "/\\2/\\1" } },
  strip: { stripQuery: true },
  found: { responseCode: "FOUND" },
  other: { responseCode: "SEE_OTHER" },
  temporary: { responseCode: "TEMPORARY_REDIRECT" },
  permanent: { responseCode: "PERMANENT_REDIRECT" },
};

const redirectRoutes: readonly Json[] = Object.entries(redirects).map(([name, redirect]) => ({
  name,
  match: { prefix: `/${name}/` },
  redirect,
}));

const rewrites: Readonly<Record<string, { readonly match: Json; readonly route: Json }>> = {
  "whole-prefix": { match: { prefix: "/whole-prefix/" }, route: { prefixRewrite: "/" } },
  "bare-prefix": { match: { prefix: "/bare-prefix" }, route: { prefixRewrite: "/" } },
  "folded-prefix": {
    match: { prefix: "/FOLDED-prefix", caseSensitive: false },
    route: { prefixRewrite: "/f" },
  },
  "separated-prefix": { match: { pathSeparatedPrefix: "/separated-prefix" }, route: { prefixRewrite: "/s" } },
  "exact-path": { match: { path: "/exact-path/" }, route: { prefixRewrite: "/e" } },
  "regex-path": { match: { safeRegex: { regex: "/regex-path/.*" } }, route: { prefixRewrite: "/r" } },
  groups: {
    match: { prefix: "/groups/" },
    route: { regexRewrite: { pattern: { regex: "^/groups/([^/]+)/(.*)$" }, substitution: "/\\2/g/\\1" } },
  },
  "every-match": {
    match: { prefix: "/every-match/" },
    route: { regexRewrite: { pattern: { regex: "a" }, substitution: "[\\0]" } },
  },
  "empty-match": {
    match: { prefix: "/empty-match/" },
    route: { regexRewrite: { pattern: { regex: "x*" }, substitution: "/" } },
  },
  tail: {
    match: { prefix: "/tail/" },
    route: { regexRewrite: { pattern: { regex: "/b.*" }, substitution: "/c" } },
  },
  host: { match: { prefix: "/host/" }, route: { hostRewriteLiteral: "other.test" } },
  "host-header": { match: { prefix: "/host-header/" }, route: { hostRewriteHeader: "x-host" } },
  "host-path": {
    match: { prefix: "/host-path/" },
    route: {
      hostRewritePathRegex: { pattern: { regex: "^/host-path/([^/]+)/.*$" }, substitution: "\\1.test" },
    },
  },
};

/** Health of the endpoints of each priority: a plus is healthy. The endpoints are all the same application. */
const AILING: Readonly<Record<string, { readonly health: readonly string[]; readonly panics: boolean }>> = {
  "panic-of-all": { health: ["--"], panics: true },
  "no-panic-of-all": { health: ["--"], panics: false },
  "no-panic-of-some": { health: ["+---"], panics: false },
  "second-priority": { health: ["--", "+"], panics: false },
  "no-priority": { health: ["-", "-"], panics: false },
};

export function ailingClusters(port: number): readonly Json[] {
  const endpoint = { address: { socketAddress: { address: "127.0.0.1", portValue: port } } };
  return Object.entries(AILING).map(([name, { health, panics }]) => ({
    name,
    type: "STATIC",
    connectTimeout: "1s",
    commonLbConfig: panics ? {} : { healthyPanicThreshold: { value: 0 } },
    loadAssignment: {
      clusterName: name,
      endpoints: health.map((signs, priority) => ({
        priority,
        lbEndpoints: Array.from(signs, (sign) => ({
          endpoint,
          healthStatus: sign === "+" ? "HEALTHY" : "UNHEALTHY",
        })),
      })),
    },
  }));
}

/** Routes with faults and CORS policies of their own. */
function filterRoutes(cluster: string): readonly Json[] {
  const route = (name: string, filter: string, type: string, config: Json): Json => ({
    name,
    match: { prefix: `/${name}` },
    route: { cluster },
    typedPerFilterConfig: {
      [`envoy.filters.http.${filter}`]: {
        "@type": `type.googleapis.com/envoy.extensions.filters.http.${type}`,
        ...config,
      },
    },
  });
  const abort = (numerator: number): Json => ({ httpStatus: 418, percentage: { numerator } });
  const fault = (name: string, config: Json): Json => route(name, "fault", "fault.v3.HTTPFault", config);
  const allowOriginStringMatch = [{ exact: "https://a.test" }];
  return [
    fault("abort", { abort: abort(100) }),
    fault("no-abort", { abort: abort(0) }),
    fault("abort-some", { abort: abort(100), headers: [{ name: "x-user", stringMatch: { exact: "me" } }] }),
    fault("abort-elsewhere", { abort: abort(100), upstreamCluster: "other" }),
    fault("abort-here", { abort: abort(100), upstreamCluster: cluster }),
    route("cors", "cors", "cors.v3.CorsPolicy", { allowOriginStringMatch }),
    route("cors-strict", "cors", "cors.v3.CorsPolicy", {
      allowOriginStringMatch,
      forwardNotMatchingPreflights: false,
    }),
  ];
}

export function actionHosts(cluster: string): readonly Json[] {
  const rewriteRoutes = Object.entries(rewrites).map(([name, { match, route }]) => ({
    name,
    match,
    route: { cluster, ...route },
  }));
  const failing = [
    { name: "missing", match: { prefix: "/missing" }, route: { cluster: "nowhere" } },
    {
      name: "missing-404",
      match: { prefix: "/not-found" },
      route: { cluster: "nowhere", clusterNotFoundResponseCode: "NOT_FOUND" },
    },
    { name: "by-header", match: { prefix: "/by-header" }, route: { clusterHeader: "x-cluster" } },
    { name: "empty", match: { prefix: "/empty" }, route: { cluster: "empty" } },
  ];
  const ailing = Object.keys(AILING).map((name) => ({
    name,
    match: { prefix: `/${name}` },
    route: { cluster: name },
  }));
  return [
    { name: "filters", domains: ["filter.test"], routes: filterRoutes(cluster) },
    { name: "ailing", domains: ["ailing.test"], routes: ailing },
    { name: "redirects", domains: ["redirect.test", "redirect.test:*", "[::1]:80"], routes: redirectRoutes },
    { name: "rewrites", domains: ["rewrite.test"], routes: [...rewriteRoutes, ...failing] },
  ];
}

type Request = Partial<Pick<Call, "method" | "host" | "path" | "headers">>;

const origin = (value: string): Call["headers"][number] => ["origin", value];
const wantsPut = ["access-control-request-method", "PUT"] as const;

export const ACTION_CALLS: readonly Request[] = [
  ...Object.keys(AILING).map((name) => ({ host: "ailing.test", path: `/${name}` })),
  ...["abort", "no-abort", "abort-some", "abort-elsewhere", "abort-here"].flatMap((name) => [
    { host: "filter.test", path: `/${name}` },
    { host: "filter.test", path: `/${name}`, headers: [["x-user", "me"]] as const },
  ]),
  ...["cors", "cors-strict"].flatMap((name) => [
    {
      host: "filter.test",
      path: `/${name}`,
      method: "OPTIONS",
      headers: [origin("https://a.test"), wantsPut],
    },
    {
      host: "filter.test",
      path: `/${name}`,
      method: "OPTIONS",
      headers: [origin("https://b.test"), wantsPut],
    },
    { host: "filter.test", path: `/${name}`, method: "OPTIONS", headers: [origin("https://a.test")] },
    { host: "filter.test", path: `/${name}`, headers: [origin("https://b.test"), wantsPut] },
  ]),
  ...Object.keys(redirects).flatMap((name) => [
    { host: "redirect.test", path: `/${name}/a/b` },
    { host: "redirect.test", path: `/${name}/a/b?q=1` },
    { host: "redirect.test:80", path: `/${name}/` },
    { host: "redirect.test:9080", path: `/${name}/` },
    { host: "[::1]:80", path: `/${name}/` },
    { host: "redirect.test:443", path: `/${name}/`, headers: [["x-forwarded-proto", "https"]] as const },
  ]),
  ...Object.keys(rewrites).flatMap((name) => [
    { host: "rewrite.test", path: `/${name}/` },
    { host: "rewrite.test", path: `/${name}/a/baab?q=1` },
  ]),
  { host: "rewrite.test", path: "/host-header/", headers: [["x-host", "named.test"]] },
  { host: "rewrite.test", path: "/bare-prefix" },
  { host: "rewrite.test", path: "/bare-prefixed" },
  ...["/missing", "/not-found", "/by-header", "/empty"].map((path) => ({ host: "rewrite.test", path })),
  { host: "rewrite.test", path: "/by-header", headers: [["x-cluster", "app"]] },
  { host: "rewrite.test", path: "/by-header", headers: [["x-cluster", "nowhere"]] },
];
