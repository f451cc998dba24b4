import { entry, http, routes, tcp, type WireCase } from "../wire-case.ts";
import { mesh } from "./mesh.ts";

const SITE = "site.test";
const CALL = `${SITE}:7000`;

/** Services at addresses of their own. */
const BINDS_VIPS = { discovery: "mesh", bindsVips: true } as const;

/** What is HTTP of `site.test` goes to `a`, all else to `ta`. */
const TWO_WAYS = routes(
  SITE,
  `http: [{ match: [{ uri: { prefix: /tea } }], directResponse: { status: 418 } }, { route: [{ destination: { host: ${SITE} } }] }],
   tcp: [{ route: [{ destination: { host: bytes.test } }] }]`,
);

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
];
