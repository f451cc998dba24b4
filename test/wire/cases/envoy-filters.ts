import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { entry, http, many, routes, tcp, type WireCase } from "../wire-case.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;

const envoyFilter = (patch: string): string => `
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: patched }
spec: { workloadSelector: { labels: { app: caller } }, configPatches: [${patch}] }`;
const HTTP_FILTER =
  "applyTo: HTTP_FILTER, match: { context: SIDECAR_OUTBOUND, listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } } } } }";

const HEADER_FOR_ALL =
  '{ applyTo: VIRTUAL_HOST, match: { context: SIDECAR_OUTBOUND }, patch: { operation: MERGE, value: { request_headers_to_add: [{ header: { key: x-patched, value: "host" } }] } } }';

export const FILTER_CASES: readonly WireCase[] = [
  {
    name: "EnvoyFilter: a Lua filter before the router sees each call",
    builtin: { refuses: "envoy.filters.http.lua" },
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      envoyFilter(`{ ${HTTP_FILTER}, patch: { operation: INSERT_BEFORE, value: { name: envoy.filters.http.lua, typed_config: {
        "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua,
        default_source_code: { inline_string: "function envoy_on_request(handle) handle:headers():add('x-patched', 'by lua') end" } } } } }`),
    calls: [http(CALL, { from: "a", seen: { "x-patched": "by lua" } })],
  },
  {
    name: "EnvoyFilter: a local rate limit refuses what is too much",
    builtin: { refuses: "envoy.filters.http.local_ratelimit" },
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      envoyFilter(`{ ${HTTP_FILTER}, patch: { operation: INSERT_BEFORE, value: { name: envoy.filters.http.local_ratelimit, typed_config: {
        "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: limit,
        token_bucket: { max_tokens: 3, tokens_per_fill: 3, fill_interval: 600s },
        filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } } } } } }`),
    calls: [many(8, http(CALL, {}), { a: [3, 3], "nobody (429)": [5, 5] })],
  },
  {
    name: "EnvoyFilter: virtual hosts and routes are as they are patched",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      routes(
        SHOP,
        `http: [{ name: other, match: [{ uri: { prefix: /other } }], route: [{ destination: { host: ${SHOP} } }] }, { name: mine, route: [{ destination: { host: ${SHOP} } }] }]`,
      ) +
      envoyFilter(
        `${HEADER_FOR_ALL},
         { applyTo: HTTP_ROUTE, match: { context: SIDECAR_OUTBOUND, routeConfiguration: { vhost: { name: "${CALL}", route: { name: mine } } } },
           patch: { operation: MERGE, value: { response_headers_to_add: [{ header: { key: x-answer, value: route } }] } } }`,
      ),
    calls: [
      http(CALL, { from: "a", seen: { "x-patched": "host" }, answer: { "x-answer": "route" } }),
      http(
        CALL,
        { from: "a", seen: { "x-patched": "host" }, answer: { "x-answer": undefined } },
        { path: "/other" },
      ),
    ],
  },
  {
    name: "EnvoyFilter: clusters are as they are patched, with lists replaced",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      envoyFilter(
        `{ applyTo: CLUSTER, match: { context: SIDECAR_OUTBOUND, cluster: { service: ${SHOP} } },
           patch: { operation: MERGE_AND_REPLACE_LIST, value: { circuit_breakers: { thresholds: [{ max_requests: 1 }] } } } }`,
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const taken = wire.apps.taken("a");
      const first = wire.http(CALL, { headers: { "x-delay": "300" } });
      await eventually("the first is served", () => wire.apps.taken("a") > taken);
      assert.equal((await wire.http(CALL)).status, 503);
      assert.equal((await first).status, 200);
    },
  },
  {
    name: "EnvoyFilter: a filter that is removed does nothing any more",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      routes(
        SHOP,
        `http: [{ fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, route: [{ destination: { host: ${SHOP} } }] }]`,
      ) +
      envoyFilter(
        `{ ${HTTP_FILTER.replace("filters.http.router", "filters.http.fault")}, patch: { operation: REMOVE } }`,
      ),
    calls: [http(CALL, "a")],
  },
  {
    name: "EnvoyFilter: a network filter before the TCP proxy is for TCP, and has its connections first",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      entry("db.test", "9000 TCP", [at("ta")]) +
      envoyFilter(`{ applyTo: NETWORK_FILTER, match: { context: SIDECAR_OUTBOUND, listener: { filterChain: { filter: { name: envoy.filters.network.tcp_proxy } } } },
        patch: { operation: INSERT_BEFORE, value: { name: envoy.filters.network.rbac, typed_config: {
          "@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: closed,
          rules: { action: DENY, policies: { closed: { permissions: [{ any: true }], principals: [{ any: true }] } } } } } } }`),
    calls: [tcp("db.test:9000", "nobody"), http(CALL, "a")],
  },
  {
    name: "EnvoyFilter: one for other workloads changes nothing",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) + envoyFilter(HEADER_FOR_ALL).replace("app: caller", "app: other"),
    calls: [http(CALL, { from: "a", seen: { "x-patched": undefined } })],
  },
];
