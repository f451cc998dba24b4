import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { type At, entry, http, routes, tcp, type WireCase } from "../wire-case.ts";
import { ingress } from "./inbound.ts";
import { AT_GATEWAY, gateway } from "./mesh.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";
const FAR = "far.test";
const INGRESS = "gateway app.test:8085";

const MANAGER = "name: envoy.filters.network.http_connection_manager";
const LUA_NAME = "name: envoy.filters.http.lua";
const LUA = { refuses: "envoy.filters.http.lua" };
const CALLERS = "SIDECAR_OUTBOUND";

/** Patches of one EnvoyFilter, in their order. */
const patches = (...list: readonly string[]): string => `
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: patched }
spec: { configPatches: [${list.join(", ")}] }`;
const patch = (applyTo: string, context: string, match: string, operation: string, value = ""): string =>
  `{ applyTo: ${applyTo}, match: { context: ${context}${match && `, ${match}`} }, patch: { operation: ${operation}${value && `, value: ${value}`} } }`;
const lua = (code: string): string =>
  `{ ${LUA_NAME}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, default_source_code: { inline_string: "${code}" } } }`;
const anyFilter = `listener: { filterChain: { filter: { ${MANAGER} } } }`;
const aroundRouter = `listener: { filterChain: { filter: { ${MANAGER}, subFilter: { name: envoy.filters.http.router } } } }`;
const answers = (status: number): string =>
  lua(
    `function envoy_on_request(handle) if handle:headers():get(':path') == '/tea' then handle:respond({ [':status'] = '${status}' }, '') end end`,
  );
const marks = (header: string): string =>
  lua(`function envoy_on_request(handle) handle:headers():add('x-seen', '${header}') end`);

const shop = (at: At): string => entry(SHOP, "80 HTTP", [at("a")]);
const databases = (at: At): string => entry(DB, "9000 TCP", [at("ta")]) + entry(FAR, "9000 TCP", [at("tb")]);
const tcpTo = (cluster: string): string =>
  `{ name: envoy.filters.network.tcp_proxy, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: patched, cluster: "${cluster}" } }`;
const here = (at: At): string => at("a").address.replace(/\d+$/, "1");

export const PATCH_CASES: readonly WireCase[] = [
  {
    name: "HTTP_FILTER INSERT_FIRST: a filter of an inbound listener comes before the policies, INSERT_BEFORE the router after them",
    builtin: LUA,
    yaml: (at) =>
      `${ingress(at)}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: denied }
spec: { selector: { matchLabels: { app: caller } }, action: DENY, rules: [{ to: [{ operation: { paths: [/tea], methods: [PUT] } }] }] }` +
      patches(
        patch("HTTP_FILTER", "SIDECAR_INBOUND", aroundRouter, "INSERT_BEFORE", answers(418)),
        patch(
          "HTTP_FILTER",
          "SIDECAR_INBOUND",
          anyFilter,
          "INSERT_FIRST",
          lua(
            "function envoy_on_request(handle) if handle:headers():get('x-first') then handle:respond({ [':status'] = '299' }, '') end end",
          ),
        ),
      ),
    calls: [
      http(INGRESS, "unix"),
      http(INGRESS, { status: 418 }, { path: "/tea" }),
      http(INGRESS, { status: 403 }, { path: "/tea", method: "PUT" }),
      http(INGRESS, { status: 299 }, { path: "/tea", method: "PUT", headers: { "x-first": "yes" } }),
    ],
  },
  {
    name: "HTTP_FILTER INSERT_AFTER and REPLACE: each where it is asked for, and in the order of the patches",
    builtin: { refuses: 'http filter "third"' },
    yaml: (at) =>
      shop(at) +
      patches(
        patch("HTTP_FILTER", CALLERS, aroundRouter, "INSERT_BEFORE", marks("one")),
        patch(
          "HTTP_FILTER",
          CALLERS,
          `listener: { filterChain: { filter: { ${MANAGER}, subFilter: { ${LUA_NAME} } } } }`,
          "INSERT_AFTER",
          marks("two").replace(LUA_NAME, "name: second"),
        ),
        patch(
          "HTTP_FILTER",
          CALLERS,
          `listener: { filterChain: { filter: { ${MANAGER}, subFilter: { ${LUA_NAME} } } } }`,
          "REPLACE",
          marks("three").replace(LUA_NAME, "name: third"),
        ),
      ),
    calls: [http(CALL, { from: "a", seen: { "x-seen": "three, two" } })],
  },
  {
    name: "EXTENSION_CONFIG ADD: a filter has its settings from there",
    builtin: { refuses: 'http filter "found"' },
    yaml: (at) =>
      shop(at) +
      patches(
        patch(
          "HTTP_FILTER",
          CALLERS,
          aroundRouter,
          "INSERT_BEFORE",
          "{ name: found, config_discovery: { config_source: { ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3 }, type_urls: [type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua] } }",
        ),
        patch("EXTENSION_CONFIG", CALLERS, "", "ADD", marks("elsewhere").replace(LUA_NAME, "name: found")),
      ),
    calls: [http(CALL, { from: "a", seen: { "x-seen": "elsewhere" } })],
  },
  {
    name: "HTTP_FILTER: one for inbound listeners is for these alone",
    builtin: LUA,
    yaml: (at) =>
      ingress(at) +
      shop(at) +
      patches(patch("HTTP_FILTER", "SIDECAR_INBOUND", aroundRouter, "INSERT_BEFORE", marks("inbound"))),
    calls: [
      http(INGRESS, { from: "unix", seen: { "x-seen": "inbound" } }),
      http(CALL, { from: "a", seen: { "x-seen": undefined } }),
    ],
  },
  {
    name: "HTTP_FILTER: one for gateways sees what comes in there",
    builtin: LUA,
    yaml: (at) =>
      gateway(at) +
      shop(at) +
      routes(SHOP, `gateways: [edge], http: [{ route: [{ destination: { host: ${SHOP} } }] }]`) +
      patches(patch("HTTP_FILTER", "GATEWAY", aroundRouter, "INSERT_BEFORE", answers(418))),
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SHOP}:8081`, "a"),
      http(`gateway ${SHOP}:8081`, { status: 418 }, { path: "/tea" }),
    ],
  },
  {
    name: "LISTENER MERGE: no more of a body is held than it says",
    builtin: LUA,
    yaml: (at) =>
      shop(at) +
      patches(
        patch(
          "HTTP_FILTER",
          CALLERS,
          aroundRouter,
          "INSERT_BEFORE",
          lua("function envoy_on_request(handle) handle:body() end"),
        ),
        patch("LISTENER", CALLERS, "", "MERGE", "{ per_connection_buffer_limit_bytes: 1024 }"),
      ),
    calls: [
      http(CALL, "a", { method: "POST", body: "x".repeat(500) }),
      http(CALL, { status: 413 }, { method: "POST", body: "x".repeat(5_000) }),
    ],
  },
  {
    name: "LISTENER ADD: a listener that nothing else asks for takes connections",
    yaml: (at) =>
      databases(at) +
      patches(
        patch(
          "LISTENER",
          CALLERS,
          "",
          "ADD",
          `{ name: added, address: { socket_address: { address: ${here(at)}, port_value: 8086 } }, filter_chains: [{ filters: [${tcpTo(`outbound|9000||${DB}`)}] }] }`,
        ),
      ),
    upstreams: [`${DB}:9000`],
    calls: [tcp("gateway added.test:8086", "ta")],
  },
  {
    name: "LISTENER REMOVE: nobody listens any more",
    yaml: databases,
    upstreams: [`${DB}:9000`],
    run: async (wire) => {
      const to = `${DB}:9000`;
      const held = await wire.open(to);
      await wire.apply(
        databases((app) => wire.apps.at(app)) + patches(patch("LISTENER", CALLERS, "", "REMOVE")),
      );
      assert.equal((await wire.tcp(to)).failure, "ECONNREFUSED");
      held.destroy();
    },
  },
  {
    name: "LISTENER_FILTER: one for PROXY headers is asked first, and takes no connection without one",
    builtin: { refuses: "envoy.filters.listener.proxy_protocol" },
    yaml: (at) =>
      shop(at) +
      patches(
        patch(
          "LISTENER_FILTER",
          CALLERS,
          "",
          "INSERT_FIRST",
          '{ name: envoy.filters.listener.proxy_protocol, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol } }',
        ),
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const call = `GET / HTTP/1.1\r\nhost: ${SHOP}\r\nconnection: close\r\n\r\n`;
      const header = "PROXY TCP4 192.0.2.7 192.0.2.8 700 80\r\n";
      assert.equal((await wire.abandoned(CALL, Buffer.from(header + call))).answered, true);
      assert.equal((await wire.abandoned(CALL, Buffer.from(call))).answered, false);
    },
  },
  {
    name: "FILTER_CHAIN MERGE: a chain is for the callers that its match is merged with",
    yaml: (at) =>
      databases(at) +
      patches(
        patch(
          "FILTER_CHAIN",
          CALLERS,
          "",
          "MERGE",
          `{ filter_chain_match: { source_prefix_ranges: [{ address_prefix: ${here(at).replace(/\d+$/, "77")}, prefix_len: 32 }] } }`,
        ),
      ),
    calls: [tcp(`${DB}:9000`, "ta", { source: 77 }), tcp(`${DB}:9000`, "nobody", { source: 78 })],
  },
  {
    name: "NETWORK_FILTER REPLACE: connections go where the new filter says",
    yaml: (at) =>
      databases(at) +
      patches(
        patch(
          "NETWORK_FILTER",
          CALLERS,
          "listener: { filterChain: { filter: { name: envoy.filters.network.tcp_proxy } } }",
          "REPLACE",
          tcpTo(`outbound|9000||${FAR}`),
        ),
      ),
    upstreams: [`${FAR}:9000`],
    calls: [tcp(`${DB}:9000`, "tb")],
  },
  {
    name: "NETWORK_FILTER MERGE: the connection manager has what is laid over it, and keeps the rest",
    yaml: (at) =>
      shop(at) +
      patches(
        patch(
          "NETWORK_FILTER",
          CALLERS,
          anyFilter,
          "MERGE",
          `{ ${MANAGER}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, max_request_headers_kb: 2 } }`,
        ),
      ),
    calls: [
      http(CALL, "a", { headers: { "x-long": "x".repeat(1_000) } }),
      http(CALL, { status: 431 }, { headers: { "x-long": "x".repeat(4_000) } }),
    ],
  },
  {
    name: "ROUTE_CONFIGURATION MERGE: for all hosts of the port that it names, and no other",
    yaml: (at) =>
      entry(SHOP, "80 HTTP, 81 HTTP", [at("a")]) +
      patches(
        patch(
          "ROUTE_CONFIGURATION",
          CALLERS,
          "routeConfiguration: { portNumber: 80 }",
          "MERGE",
          '{ response_headers_to_add: [{ header: { key: x-answer, value: "80" } }] }',
        ),
      ),
    calls: [
      http(CALL, { from: "a", answer: { "x-answer": "80" } }),
      http(`${SHOP}:81`, { from: "a", answer: { "x-answer": undefined } }),
    ],
  },
  {
    name: "VIRTUAL_HOST ADD and REMOVE: hosts come and go",
    yaml: (at) =>
      shop(at) +
      entry(FAR, "80 HTTP", [at("b")]) +
      `
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }` +
      patches(
        patch(
          "VIRTUAL_HOST",
          CALLERS,
          "",
          "ADD",
          '{ name: added, domains: ["added.test:80"], routes: [{ match: { prefix: / }, direct_response: { status: 299 } }] }',
        ),
        patch("VIRTUAL_HOST", CALLERS, `routeConfiguration: { vhost: { name: "${FAR}:80" } }`, "REMOVE"),
      ),
    caller: { discovery: "mesh" },
    calls: [
      http(`proxy ${CALL}`, "a"),
      http("proxy added.test:80", { status: 299 }),
      http(`proxy ${FAR}:80`, { status: 502 }),
    ],
  },
  {
    name: "HTTP_ROUTE INSERT_FIRST and REMOVE: routes come and go, in their order",
    yaml: (at) =>
      shop(at) +
      routes(
        SHOP,
        `http: [{ name: gone, match: [{ uri: { prefix: /gone } }], directResponse: { status: 410 } }, { name: all, route: [{ destination: { host: ${SHOP} } }] }]`,
      ) +
      patches(
        patch(
          "HTTP_ROUTE",
          CALLERS,
          "",
          "INSERT_FIRST",
          "{ name: tea, match: { prefix: /tea }, direct_response: { status: 418 } }",
        ),
        patch("HTTP_ROUTE", CALLERS, "routeConfiguration: { vhost: { route: { name: gone } } }", "REMOVE"),
      ),
    calls: [
      http(CALL, "a"),
      http(CALL, { status: 418 }, { path: "/tea" }),
      http(CALL, "a", { path: "/gone" }),
    ],
  },
  {
    name: "CLUSTER ADD: a route that is patched leads to a cluster that is added",
    yaml: (at) =>
      shop(at) +
      patches(
        patch(
          "CLUSTER",
          CALLERS,
          "",
          "ADD",
          `{ name: extra, type: STATIC, connect_timeout: 1s, load_assignment: { cluster_name: extra, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: ${at("b").address}, port_value: ${at("b").port} } } } }] }] } }`,
        ),
        patch("HTTP_ROUTE", CALLERS, "", "MERGE", "{ route: { cluster: extra } }"),
      ),
    calls: [http(CALL, "b")],
  },
  {
    name: "CLUSTER MERGE: that of an application has what is laid over it",
    yaml: (at) =>
      ingress(at) +
      patches(
        patch(
          "CLUSTER",
          "SIDECAR_INBOUND",
          "cluster: { portNumber: 8085 }",
          "MERGE_AND_REPLACE_LIST",
          "{ circuit_breakers: { thresholds: [{ max_requests: 1 }] } }",
        ),
      ),
    run: async (wire) => {
      const answers = await wire.atOnce(4, INGRESS, { headers: { "x-delay": "300" } });
      assert.deepEqual(
        answers.map(({ status }) => status).sort((a, b) => a - b),
        [200, 503, 503, 503],
      );
    },
  },
  ...(
    [
      ["HTTP", "http_health_check: { path: /health }"],
      ["a connection", "tcp_health_check: {}"],
      [
        "bytes",
        `tcp_health_check: { send: { text: "${hex("GET / HTTP/1.1\r\nhost: x\r\n\r\n")}" }, receive: [{ text: "${hex("HTTP/1.1")}" }, { text: "${hex("200")}" }] }`,
      ],
    ] as const
  ).map(
    ([what, check]): WireCase => ({
      name: `CLUSTER MERGE: a host that fails its checks by ${what} is not called, and called again when it passes`,
      yaml: (at) =>
        entry(SHOP, "80 HTTP", [at("a"), at("b")]) +
        routes(SHOP, `http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${SHOP} } }] }]`) +
        patches(
          patch(
            "CLUSTER",
            CALLERS,
            `cluster: { service: ${SHOP} }`,
            "MERGE",
            `{ health_checks: [{ timeout: 0.5s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 2, healthy_threshold: 2, ${check} }] }`,
          ),
        ),
      upstreams: [CALL],
      run: async (wire) => {
        const call = { kind: "http", to: CALL } as const;
        const goTo = async (...apps: readonly string[]): Promise<void> => {
          await eventually(`calls go to ${apps.join()}`, async () => {
            const seen = await wire.tally(8, call);
            return Object.keys(seen).sort().join() === apps.join();
          });
        };
        await goTo("a", "b");
        await wire.apps.down("b");
        await goTo("a");
        assert.deepEqual(await wire.tally(12, call), { a: 12 });
        await wire.apps.allUp();
        await goTo("a", "b");
      },
    }),
  ),
];

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
