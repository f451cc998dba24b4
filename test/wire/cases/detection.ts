import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";
import { AT_GATEWAY, gateway, mesh } from "./mesh.ts";

const SITE = "site.test";
const CALL = `${SITE}:7000`;

/** Services at addresses of their own. */
const BINDS_VIPS = { discovery: "mesh", vips: "loopback" } as const;

/** What is HTTP of `site.test` goes to `a`, all else to `ta`. */
const TWO_WAYS = routes(
  SITE,
  `http: [{ match: [{ uri: { prefix: /tea } }], directResponse: { status: 418 } }, { route: [{ destination: { host: ${SITE} } }] }],
   tcp: [{ route: [{ destination: { host: bytes.test } }] }]`,
);

/** `site.test` is an application behind a proxy of the mesh. */
const inMesh = (at: At, host = SITE): string =>
  entry(
    host,
    "7000",
    [{ ...at("found"), serviceAccount: "mesh", labels: { "security.istio.io/tlsMode": "istio" } }],
    "location: MESH_INTERNAL, resolution: STATIC",
  );
const SAYS_HTTP1 = { from: "found", echo: { alpn: "istio-http/1.1", http: "1.1" } } as const;
const SAYS_HTTP2 = { from: "found", echo: { alpn: "istio-h2", http: "2.0" } } as const;

/** That host through a gateway. */
const edge = (at: At): string =>
  gateway(at) +
  inMesh(at) +
  routes(SITE, `gateways: [edge], http: [{ route: [{ destination: { host: ${SITE} } }] }]`);

/** At once, whatever the machine is busy with. */
const AT_ONCE = [0, 2_000] as const;

/** Ports of which nobody says what they speak. */
export const DETECTION_CASES: readonly WireCase[] = [
  {
    name: "what nobody says a port speaks each connection to an upstream says",
    yaml: (at) => entry(SITE, "7000", [at("a")]) + entry("bytes.test", "9000 TCP", [at("ta")]) + TWO_WAYS,
    calls: [
      http(CALL, { from: "a", seen: { host: SITE } }),
      http(CALL, { from: "a" }, { headers: { host: "whatever.example" } }),
      http(CALL, { status: 418 }, { path: "/tea" }),
      tcp(CALL, "ta"),
    ],
  },
  {
    name: "TLS to such a port goes through, and ends at the server",
    yaml: (at) => entry(SITE, "7000", [at("tta")]),
    calls: [
      tcp(CALL, { from: "tta", echo: { serverName: "other.example" } }, { serverName: "other.example" }),
    ],
  },
  {
    name: "HTTP/2 to such a port is spoken to the server too",
    yaml: (at) => entry(SITE, "7000", [at("h2")]),
    calls: [http(CALL, { from: "h2", echo: { http: "2.0" } }, { http2: true })],
  },
  {
    name: "where VIPs are bound such a port is the one service's, whatever host is called",
    yaml: (at) =>
      entry(SITE, "7000", [at("a")]) +
      entry("bytes.test", "9000 TCP", [at("ta")]) +
      TWO_WAYS +
      entry("late.test", "7000", [at("b")]),
    caller: BINDS_VIPS,
    calls: [
      http(`vip ${CALL}`, "a"),
      http(`vip ${CALL}`, "a", { headers: { host: "late.test" } }),
      http(`vip ${CALL}`, { status: 418 }, { path: "/tea" }),
      tcp(`vip ${CALL}`, "ta"),
      http("vip late.test:7000", "b", { headers: { host: "whatever.example" } }),
    ],
  },
  {
    name: "the forward proxy has the HTTP of such a port",
    yaml: (at) => entry(SITE, "7000", [at("a")]),
    caller: { discovery: "mesh" },
    calls: [http(`proxy ${CALL}`, "a")],
  },
  {
    name: "a server that speaks first is heard at once at a port that is known for it, or whose protocol is",
    yaml: (at) => entry("mysql.test", "3306, 9000 MYSQL", [at("greeter")]),
    caller: BINDS_VIPS,
    calls: ["mysql.test:3306", "mysql.test:9000", "vip mysql.test:3306", "vip mysql.test:9000"].map((to) =>
      tcp(to, { from: "greeter", tookMs: AT_ONCE }, { silent: true }),
    ),
  },
  {
    name: "at any other a server that speaks first is heard when protocolDetectionTimeout is over",
    yaml: (at) => mesh("protocolDetectionTimeout: 500ms") + entry(SITE, "7000", [at("greeter")]),
    calls: [tcp(CALL, { from: "greeter", tookMs: [450, 4_000] }, { silent: true })],
  },
  {
    name: "mesh TLS to such a port says that what was found to be HTTP is, and which, and nothing of the rest",
    yaml: (at) => inMesh(at),
    caller: { discovery: "mesh" },
    calls: [
      tcp(CALL, { from: "found", echo: { alpn: "istio" } }),
      http(CALL, SAYS_HTTP1),
      http(CALL, SAYS_HTTP2, { http2: true }),
      tcp(CALL, { from: "found", echo: { alpn: "istio" } }),
      http(CALL, SAYS_HTTP1),
      http(`proxy ${CALL}`, SAYS_HTTP1),
    ],
  },
  {
    name: "mesh TLS to such a port that a rule asks for, and to subsets of it, says so too",
    yaml: (at) =>
      inMesh(at) +
      rule(SITE, "trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }, subsets: [{ name: all, labels: {} }]") +
      routes(
        SITE,
        `http: [{ match: [{ uri: { prefix: /all } }], route: [{ destination: { host: ${SITE}, subset: all } }] }, { route: [{ destination: { host: ${SITE} } }] }]`,
      ),
    calls: [
      http(CALL, SAYS_HTTP1),
      http(CALL, SAYS_HTTP1, { path: "/all" }),
      http(CALL, SAYS_HTTP2, { path: "/all", http2: true }),
    ],
  },
  {
    name: "where clusters share calls by weight only the one at such a port in the mesh is told, other TLS keeps its own",
    yaml: (at) =>
      inMesh(at) +
      entry("other.test", "80 HTTP", [at("tls")]) +
      rule(
        "other.test",
        "trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true, sni: secure.test } }",
      ) +
      routes(
        SITE,
        `http: [{ route: [{ destination: { host: ${SITE} }, weight: 50 }, { destination: { host: other.test }, weight: 50 }] }]`,
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const said = new Map<string, Set<string>>();
      await eventually("an answer of each", async () => {
        const { echo } = await wire.http(CALL);
        const names = said.get(echo?.app ?? "nobody") ?? new Set<string>();
        said.set(echo?.app ?? "nobody", names.add(echo?.alpn ?? "none"));
        return said.size > 1;
      });
      const want = new Map([
        ["found", new Set(["istio-http/1.1"])],
        ["tls", new Set(["http/1.1"])],
      ]);
      assert.deepEqual(said, want);
    },
  },
  {
    name: "each attempt at such a port says so, and a route from a port whose protocol is known",
    yaml: (at) =>
      inMesh(at) +
      entry("named.test", "80 HTTP", [at("a")]) +
      routes(
        [SITE, "named.test"],
        `http: [{ retries: { attempts: 2, retryOn: "503,reset" }, route: [{ destination: { host: ${SITE} } }] }]`,
      ),
    calls: [
      http(CALL, { ...SAYS_HTTP1, status: 200 }, { headers: { "x-fail": "503" } }),
      http(CALL, { ...SAYS_HTTP1, status: 200 }, { headers: { "x-fail": "reset" } }),
      http("named.test:80", SAYS_HTTP1),
      many(5, http("named.test:80", {}), { found: [5, 5] }),
    ],
  },
  {
    name: "a copy that is mirrored to such a port comes as bytes, whatever its original says, as in Istio",
    yaml: (at) =>
      inMesh(at) +
      entry("plain.test", "80 HTTP", [at("a")]) +
      ["plain.test", SITE]
        .map((host) =>
          routes(
            host,
            `http: [{ match: [{ uri: { exact: /copied } }], route: [{ destination: { host: ${host} } }], mirror: { host: ${SITE} } }, { route: [{ destination: { host: ${host} } }] }]`,
          ),
        )
        .join(""),
    upstreams: [CALL, "plain.test:80"],
    run: async (wire) => {
      for (const to of [CALL, "plain.test:80"]) {
        await wire.check(http(CALL, SAYS_HTTP1));
        const copies = wire.apps.agreements("istio");
        await wire.check(http(to, to === CALL ? SAYS_HTTP1 : "a", { path: "/copied" }));
        await eventually(`the copy of ${to}`, () => wire.apps.agreements("istio") > copies);
      }
    },
  },
  {
    name: "a gateway speaks HTTP/1.1 to such a port whatever its callers do, and says so",
    yaml: edge,
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SITE}:8081`, SAYS_HTTP1),
      http(`gateway ${SITE}:8081`, SAYS_HTTP1, { http2: true }),
    ],
  },
  {
    name: "useClientProtocol: a gateway speaks, and says, what its callers do",
    yaml: (at) =>
      edge(at) + rule(SITE, "trafficPolicy: { connectionPool: { http: { useClientProtocol: true } } }"),
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SITE}:8081`, SAYS_HTTP1),
      http(`gateway ${SITE}:8081`, SAYS_HTTP2, { http2: true }),
    ],
  },
];
