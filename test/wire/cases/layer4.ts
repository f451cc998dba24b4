import assert from "node:assert/strict";
import { type At, entry, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";

const DB = "db.test";
const WEB = "web.test";
const VERSIONS = "subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]";
const to = (host: string): string => `route: [{ destination: { host: ${host} } }]`;

/** `db.test`, and one host for each of the others. */
const databases = (at: At): string =>
  entry(DB, "9000 TCP, 9001 TCP", [at("ta")]) +
  entry("b.test", "9000 TCP, 9001 TCP", [at("tb")]) +
  entry("c.test", "9000 TCP, 9001 TCP", [at("tc")]);
const servers = (at: At): string =>
  entry(WEB, "4430 TLS", [at("tta")]) + entry("b.test", "4430 TLS", [at("ttb")]);
const versioned = (at: At): string =>
  entry(DB, "9000 TCP", [
    { ...at("ta"), labels: { version: "v1" } },
    { ...at("tb"), labels: { version: "v2" } },
  ]) + rule(DB, VERSIONS);

/** Services at addresses of their own. */
const BINDS_VIPS = { discovery: "mesh", vips: "loopback" } as const;

export const LAYER4_CASES: readonly WireCase[] = [
  {
    name: "without a route connections go to the service",
    yaml: databases,
    calls: [tcp(`${DB}:9000`, "ta"), tcp("b.test:9000", "tb")],
  },
  {
    name: "TCP routes split by weight among subsets, and weight 0 gets nothing",
    yaml: (at) =>
      versioned(at) +
      entry("c.test", "9000 TCP", [at("tc")]) +
      routes(
        DB,
        `tcp: [{ route: [{ destination: { host: ${DB}, subset: v1 }, weight: 75 }, { destination: { host: ${DB}, subset: v2 }, weight: 25 },
                         { destination: { host: c.test }, weight: 0 }] }]`,
      ),
    calls: [many(200, tcp(`${DB}:9000`, {}), { ta: [115, 185], tb: [15, 85] })],
  },
  {
    name: "TCP routes are for the port that they name",
    yaml: (at) => databases(at) + routes(DB, `tcp: [{ match: [{ port: 9001 }], ${to("b.test")} }]`),
    calls: [tcp(`${DB}:9000`, "ta"), tcp(`${DB}:9001`, "tb")],
  },
  {
    name: "TCP routes are for callers with the labels that they name",
    yaml: (at) =>
      databases(at) +
      routes(
        DB,
        `tcp: [{ match: [{ sourceLabels: { app: stranger } }], ${to("b.test")} }, { match: [{ sourceLabels: { app: caller } }], ${to("c.test")} }]`,
      ),
    calls: [tcp(`${DB}:9000`, "tc")],
  },
  {
    name: "TCP routes are for callers of the namespace that they name",
    yaml: (at) =>
      databases(at) +
      routes(
        DB,
        `tcp: [{ match: [{ sourceNamespace: default }], ${to("b.test")} }, { match: [{ sourceNamespace: shop }], ${to("c.test")} }]`,
      ),
    caller: { namespace: "shop" },
    calls: [tcp(`${DB}:9000`, "tc")],
  },
  {
    name: "TCP routes tell callers apart by their addresses",
    yaml: (at) =>
      databases(at) +
      routes(DB, `tcp: [{ match: [{ sourceSubnet: ${callerAt(at, 77)}/32 }], ${to("b.test")} }]`),
    calls: [tcp(`${DB}:9000`, "tb", { source: 77 }), tcp(`${DB}:9000`, "ta", { source: 78 })],
  },
  {
    name: "a TCP route for other destinations is never met at an upstream's own listener",
    yaml: (at) =>
      databases(at) +
      routes(
        DB,
        `tcp: [{ match: [{ destinationSubnets: [127.0.0.0/8] }], ${to("b.test")} }, { ${to("c.test")} }]`,
      ),
    calls: [tcp(`${DB}:9000`, "tc")],
  },
  {
    name: "a TCP route to a host that does not exist takes connections and closes them",
    yaml: (at) => databases(at) + routes(DB, `tcp: [{ ${to("nothing.test")} }]`),
    calls: [tcp(`${DB}:9000`, "nobody"), tcp("b.test:9000", "tb")],
  },
  {
    name: "TLS routes go by the server's name, exact before wildcard, and end at the server",
    yaml: (at) =>
      servers(at) +
      routes(
        [WEB, "*.shop.test"],
        `tls: [{ match: [{ sniHosts: ["*.shop.test"] }], ${to("b.test")} },
               { match: [{ sniHosts: [a.shop.test, ${WEB}] }], ${to(WEB)} }]`,
      ),
    calls: [
      tcp(`${WEB}:4430`, { from: "tta", echo: { serverName: "a.shop.test" } }, { serverName: "a.shop.test" }),
      tcp(`${WEB}:4430`, { from: "ttb", echo: { serverName: "b.shop.test" } }, { serverName: "b.shop.test" }),
      tcp(`${WEB}:4430`, "ttb", { serverName: "c.b.shop.test" }),
      tcp(`${WEB}:4430`, "tta", { serverName: WEB }),
      tcp(`${WEB}:4430`, "nobody", { serverName: "shop.test" }),
      tcp(`${WEB}:4430`, "nobody", { serverName: "other.example" }),
    ],
  },
  {
    name: "without a TLS route any server's name goes to the service",
    yaml: servers,
    calls: [
      tcp(
        `${WEB}:4430`,
        { from: "tta", echo: { serverName: "other.example" } },
        { serverName: "other.example" },
      ),
    ],
  },
  {
    name: "TLS routes are for the callers and the port that they name, and split by weight",
    yaml: (at) =>
      servers(at) +
      routes(
        WEB,
        `tls: [{ match: [{ sniHosts: [${WEB}], sourceLabels: { app: stranger } }], ${to("nothing.test")} },
               { match: [{ sniHosts: [${WEB}], sourceNamespace: shop }], ${to("nothing.test")} },
               { match: [{ sniHosts: [${WEB}], port: 4431 }], ${to("nothing.test")} },
               { match: [{ sniHosts: [${WEB}], port: 4430, sourceLabels: { app: caller } }],
                 route: [{ destination: { host: ${WEB} }, weight: 50 }, { destination: { host: b.test }, weight: 50 }] }]`,
      ),
    calls: [many(60, tcp(`${WEB}:4430`, {}, { serverName: WEB }), { tta: [10, 50], ttb: [10, 50] })],
  },
  {
    name: "where VIPs are bound each TCP service is told by its address",
    yaml: databases,
    caller: BINDS_VIPS,
    calls: [tcp(`vip ${DB}:9000`, "ta"), tcp("vip b.test:9000", "tb"), tcp("vip b.test:9001", "tb")],
  },
  {
    name: "where VIPs are bound TCP routes count, by weight, port and destination",
    yaml: (at) =>
      versioned(at) +
      entry("c.test", "9000 TCP, 9001 TCP", [at("tc")]) +
      routes(
        DB,
        `tcp: [{ route: [{ destination: { host: ${DB}, subset: v1 }, weight: 50 }, { destination: { host: ${DB}, subset: v2 }, weight: 50 }] }]`,
      ) +
      routes(
        "c.test",
        `tcp: [{ match: [{ port: 9001, destinationSubnets: [127.240.0.0/16] }], route: [{ destination: { host: ${DB}, subset: v2, port: { number: 9000 } } }] }, { match: [{ destinationSubnets: [10.0.0.0/8] }], ${to("nothing.test")} }]`,
      ),
    caller: BINDS_VIPS,
    calls: [
      many(60, tcp(`vip ${DB}:9000`, {}), { ta: [10, 50], tb: [10, 50] }),
      tcp("vip c.test:9000", "tc"),
      tcp("vip c.test:9001", "tb"),
    ],
  },
  {
    name: "where VIPs are bound TLS routes go by the server's name",
    yaml: (at) =>
      servers(at) +
      routes(
        [WEB, "*.shop.test"],
        `tls: [{ match: [{ sniHosts: ["*.shop.test"] }], ${to("b.test")} }, { match: [{ sniHosts: [${WEB}] }], ${to(WEB)} }]`,
      ),
    caller: BINDS_VIPS,
    calls: [
      tcp(`vip ${WEB}:4430`, "tta", { serverName: WEB }),
      tcp(`vip ${WEB}:4430`, "ttb", { serverName: "a.shop.test" }),
      tcp(`vip ${WEB}:4430`, "nobody", { serverName: "other.example" }),
      tcp("vip b.test:4430", "ttb", { serverName: "b.test" }),
    ],
  },
  {
    name: "where VIPs are bound TLS routes are for the destinations and callers that they name",
    yaml: (at) =>
      servers(at) +
      routes(
        [WEB, "*.shop.test"],
        `tls: [{ match: [{ sniHosts: [${WEB}], destinationSubnets: [10.0.0.0/8] }], ${to("nothing.test")} }, { match: [{ sniHosts: ["a.shop.test"], destinationSubnets: [127.240.0.0/16], sourceSubnet: 127.0.0.0/8 }], ${to("b.test")} }, { match: [{ sniHosts: ["b.shop.test"], sourceSubnet: 10.0.0.0/8 }], ${to("b.test")} }]`,
      ),
    caller: BINDS_VIPS,
    calls: [
      tcp(`vip ${WEB}:4430`, "nobody", { serverName: WEB }),
      tcp(`vip ${WEB}:4430`, "ttb", { serverName: "a.shop.test" }),
      tcp(`vip ${WEB}:4430`, "nobody", { serverName: "b.shop.test" }),
    ],
  },
  {
    name: "a tunnel is asked for by CONNECT, and then has the bytes",
    yaml: (at) =>
      entry("proxy.test", "3128 TCP", [at("tunnel")]) +
      rule(
        "proxy.test",
        "trafficPolicy: { tunnel: { protocol: CONNECT, targetHost: db.example, targetPort: 5432 } }",
      ) +
      entry(DB, "9000 TCP", [at("tb")]) +
      routes(DB, `tcp: [{ ${to("proxy.test")} }]`),
    calls: [tcp("proxy.test:3128", "ta")],
    run: async ({ apps }) => assert.deepEqual(apps.tunnelled, ["CONNECT db.example:5432"]),
  },
  {
    name: "a tunnel that is refused takes its connection with it",
    yaml: (at) =>
      entry("proxy.test", "3128 TCP", [at("a")]) +
      rule(
        "proxy.test",
        "trafficPolicy: { tunnel: { protocol: CONNECT, targetHost: db.example, targetPort: 5432 } }",
      ) +
      entry(DB, "9000 TCP", [at("tb")]),
    calls: [tcp("proxy.test:3128", "nobody"), tcp(`${DB}:9000`, "tb")],
  },
  {
    name: "a tunnel is asked for by POST, for connections that a route leads to a subset",
    yaml: (at) =>
      entry("proxy.test", "3128 TCP", [at("tunnel")]) +
      rule(
        "proxy.test",
        "subsets: [{ name: out, trafficPolicy: { tunnel: { protocol: POST, targetHost: db.example, targetPort: 5432 } } }]",
      ) +
      entry(DB, "9000 TCP", [at("tb")]) +
      routes(
        DB,
        "tcp: [{ route: [{ destination: { host: proxy.test, subset: out, port: { number: 3128 } } }] }]",
      ),
    calls: [tcp(`${DB}:9000`, "ta")],
    run: async ({ apps }) => assert.deepEqual(apps.tunnelled, ["POST db.example:5432"]),
  },
];

function callerAt(at: At, last: number): string {
  return at("a").address.replace(/\d+$/, String(last));
}
