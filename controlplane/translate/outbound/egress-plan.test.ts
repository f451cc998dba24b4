import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocol, Service } from "../../../mesh/model/service.ts";
import { CAPTURED_AT } from "../../../mesh/xds/names.ts";
import type { EgressListener } from "../../policy/egress-scope.ts";
import { type EgressPlan, planEgress, type Ways } from "./egress-plan.ts";

function service(
  hostname: string,
  ports: Readonly<Record<number, Protocol>>,
  addresses: readonly string[] = [],
): Service {
  return {
    key: `default/${hostname}`,
    hostname,
    name: hostname,
    namespace: "default",
    ports: Object.entries(ports).map(([number, protocol]) => ({
      name: protocol,
      number: Number(number),
      protocol,
    })),
    resolution: "static",
    addresses,
    external: false,
    subjectAltNames: [],
    exportTo: [],
    createdAt: 0,
    source: "test",
  };
}

const CAPTURED: Ways = { captured: CAPTURED_AT, vips: "none", httpProxy: undefined };
const VIPS: Ways = { captured: undefined, vips: "loopback", httpProxy: undefined };
const NONE: Ways = { captured: undefined, vips: "none", httpProxy: undefined };
const PROXY: Ways = { ...NONE, httpProxy: { address: "127.0.0.1", port: 15_080 } };

function plan(
  ways: Ways,
  services: readonly Service[],
  listeners: readonly Partial<EgressListener>[] = [{}],
  options: Parameters<typeof planEgress>[3] = {},
): EgressPlan {
  const all = services.map(({ hostname }) => hostname);
  return planEgress(
    {
      listeners: listeners.map((one) => ({
        port: undefined,
        bind: "",
        captureMode: "DEFAULT",
        hosts: all,
        imports: undefined,
        ...one,
      })),
      outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: undefined },
    },
    ways,
    (hostname) => services.find((one) => one.hostname === hostname),
    options,
  );
}

/** `listener[*] -> routes | host:port@destination or routes…`; the star says that it really binds. */
function lines({ listeners }: EgressPlan): readonly string[] {
  return [...listeners.values()].map(({ name, binds, routeName, tcp }) => {
    const claims = tcp.map(({ hostname, port, destinations, httpRoutes }) => {
      const at = destinations.length > 0 ? `@${destinations.join()}` : "";
      return `${hostname}:${port}${at}${httpRoutes === undefined ? "" : ` or routes ${httpRoutes}`}`;
    });
    return `${name}${binds ? "*" : ""} -> ${[...(routeName === undefined ? [] : [`routes ${routeName}`]), ...claims].join(" | ")}`;
  });
}

function routes({ routes: all }: EgressPlan): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...all.values()].map(({ name, places }) => [name, places.map(({ hostname }) => hostname).join(" ")]),
  );
}

const web = service("web", { 80: "http", 443: "tls" }, ["240.240.0.1"]);
const api = service("api", { 80: "http2", 9000: "tcp" }, ["240.240.0.2"]);
const db = service("db", { 9000: "tcp" }, ["10.1.0.0/16", "10.2.0.1"]);
const bare = service("bare", { 9000: "tcp" });

const CASES: readonly {
  readonly says: string;
  readonly given: EgressPlan;
  readonly want: readonly string[];
}[] = [
  {
    says: "captured HTTP of one port shares a wildcard listener",
    given: plan(CAPTURED, [service("a", { 80: "http" }), service("b", { 80: "grpc", 81: "http" })]),
    want: ["0.0.0.0_80 -> routes 80", "0.0.0.0_81 -> routes 81"],
  },
  {
    says: "captured TCP is told by address, TLS without a given address by the server's name",
    given: plan(CAPTURED, [web, api]),
    want: [
      "0.0.0.0_443 -> web:443",
      "0.0.0.0_80 -> routes 80",
      "240.240.0.1_443 -> web:443",
      "240.240.0.2_9000 -> api:9000",
    ],
  },
  {
    says: "a CIDR block goes to the wildcard listener, an address has its own",
    given: plan(CAPTURED, [db]),
    want: ["0.0.0.0_9000 -> db:9000@10.1.0.0/16", "10.2.0.1_9000 -> db:9000"],
  },
  {
    says: "a service without an address takes the rest of its port, beside one with blocks",
    given: plan(CAPTURED, [db, bare]),
    want: ["0.0.0.0_9000 -> db:9000@10.1.0.0/16 | bare:9000", "10.2.0.1_9000 -> db:9000"],
  },
  {
    says: "HTTP and TCP of one wildcard port share the listener",
    given: plan(CAPTURED, [service("a", { 9000: "http" }), bare]),
    want: ["0.0.0.0_9000 -> routes 9000 | bare:9000"],
  },
  {
    says: "VIPs are bound on loopback, each port by itself",
    given: plan(VIPS, [web, api]),
    want: [
      "127.240.0.1_443* -> web:443",
      "127.240.0.1_80* -> routes 80",
      "127.240.0.2_80* -> routes 80",
      "127.240.0.2_9000* -> api:9000",
    ],
  },
  {
    says: "without capture or VIPs, ports are bound on loopback",
    given: plan(NONE, [web]),
    want: ["127.0.0.1_443* -> web:443", "127.0.0.1_80* -> routes 80"],
  },
  {
    says: "a forward proxy takes all HTTP and nothing else",
    given: plan(PROXY, [web, api]),
    want: ["127.0.0.1_15080* -> routes http_proxy"],
  },
  {
    says: "a Sidecar's own port is a listener of its hosts alone, and what is for every port stays out of it",
    given: plan(
      CAPTURED,
      [web, api],
      [{ port: { number: 80, protocol: "http", name: "http" }, hosts: ["api"] }, { hosts: ["web"] }],
    ),
    want: ["0.0.0.0_443 -> web:443", "0.0.0.0_80 -> routes 80", "240.240.0.1_443 -> web:443"],
  },
  {
    says: "a Sidecar's bind is taken as it is, and really bound where nothing is captured",
    given: plan(
      NONE,
      [api],
      [
        { port: { number: 80, protocol: "http", name: "http" }, bind: "127.0.0.5" },
        { port: { number: 9000, protocol: "tcp", name: "tcp" }, bind: "unix:///run/api.sock" },
      ],
    ),
    want: ["127.0.0.5_80* -> routes 80", "unix:///run/api.sock* -> api:9000"],
  },
  {
    says: "a listener on a socket has no port, is for what speaks as it does, and is bound whatever is captured",
    given: plan(
      CAPTURED,
      [web, api],
      [
        { port: { number: 0, protocol: "tcp", name: "tcp" }, bind: "unix:///run/tcp", hosts: ["api"] },
        { port: { number: 0, protocol: "http", name: "http" }, bind: "unix:///run/http" },
      ],
    ),
    want: ["unix:///run/http* -> routes unix:///run/http", "unix:///run/tcp* -> api:9000"],
  },
  {
    says: "captureMode NONE binds although the rest is captured",
    given: plan(
      CAPTURED,
      [api],
      [{ port: { number: 80, protocol: "http", name: "http" }, captureMode: "NONE" }],
    ),
    want: ["127.0.0.1_80* -> routes 80"],
  },
];

const site = service("site", { 9000: "auto" }, ["240.240.0.3"]);
const block = service("block", { 9000: "auto" }, ["10.1.0.0/16", "10.2.0.1"]);
const anywhere = service("anywhere", { 9000: "auto" });
const calls = service("calls", { 9000: "http" });
const mysql = service("mysql", { 9000: "mysql" });

/** What meets whom on one port, the older first; `conflicts`: who is left out, of the whole or of a part. */
const MEETINGS: readonly {
  readonly says: string;
  readonly given: EgressPlan;
  readonly want: readonly string[];
  readonly routes?: Readonly<Record<string, string>>;
  readonly conflicts?: readonly string[];
}[] = [
  {
    says: "a port of which nobody says what it speaks has a listener at its address, with routes of its own",
    given: plan(CAPTURED, [site]),
    want: ["240.240.0.3_9000 -> site:9000 or routes site:9000"],
    routes: { "site:9000": "site" },
  },
  {
    says: "its blocks of addresses are told apart at the wildcard listener",
    given: plan(CAPTURED, [block]),
    want: [
      "0.0.0.0_9000 -> block:9000@10.1.0.0/16 or routes block:9000",
      "10.2.0.1_9000 -> block:9000 or routes block:9000",
    ],
    routes: { "block:9000": "block" },
  },
  {
    says: "without an address it shares the wildcard listener and the port's routes",
    given: plan(CAPTURED, [anywhere]),
    want: ["0.0.0.0_9000 -> routes 9000 | anywhere:9000"],
    routes: { "9000": "anywhere" },
  },
  {
    says: "HTTP over it, and it over HTTP, share the routes",
    given: plan(CAPTURED, [anywhere, calls]),
    want: lines(plan(CAPTURED, [calls, anywhere])),
    routes: { "9000": "anywhere calls" },
  },
  {
    says: "it over TCP has the HTTP that TCP does not want",
    given: plan(CAPTURED, [bare, anywhere]),
    want: ["0.0.0.0_9000 -> routes 9000 | bare:9000"],
    routes: { "9000": "anywhere" },
    conflicts: ["anywhere"],
  },
  {
    says: "TCP over it has nothing",
    given: plan(CAPTURED, [anywhere, bare]),
    want: ["0.0.0.0_9000 -> routes 9000 | anywhere:9000"],
    conflicts: ["bare"],
  },
  {
    says: "of two at one address the older has it",
    given: plan(CAPTURED, [site, service("late", { 9000: "auto" }, ["240.240.0.3"])]),
    want: ["240.240.0.3_9000 -> site:9000 or routes site:9000"],
    routes: { "site:9000": "site" },
    conflicts: ["late"],
  },
  {
    says: "over TCP at one address it has the HTTP",
    given: plan(CAPTURED, [service("old", { 9000: "tcp" }, ["240.240.0.3"]), site]),
    want: ["240.240.0.3_9000 -> old:9000 | site:9000 or routes site:9000"],
    routes: { "site:9000": "site" },
  },
  {
    says: "called by its name it is known wherever HTTP of its port comes in",
    given: plan(CAPTURED, [calls, site]),
    want: ["0.0.0.0_9000 -> routes 9000", "240.240.0.3_9000 -> site:9000 or routes site:9000"],
    routes: { "9000": "calls site", "site:9000": "site" },
  },
  {
    says: "MySQL and HTTP at one port without addresses: the older alone has it",
    given: plan(CAPTURED, [mysql, calls]),
    want: ["0.0.0.0_9000 -> mysql:9000"],
    routes: {},
    conflicts: ["calls"],
  },
  {
    says: "MySQL that TCP has left out keeps nobody else out",
    given: plan(CAPTURED, [bare, mysql, calls]),
    want: ["0.0.0.0_9000 -> routes 9000 | bare:9000"],
    routes: { "9000": "calls" },
    conflicts: ["mysql"],
  },
  {
    says: "HTTP and MySQL at one port without addresses: the older alone has it",
    given: plan(CAPTURED, [calls, mysql]),
    want: ["0.0.0.0_9000 -> routes 9000"],
    conflicts: ["mysql"],
  },
  {
    says: "a port that nobody names and MySQL likewise, by address too",
    given: plan(CAPTURED, [site, service("late", { 9000: "mysql" }, ["240.240.0.3"])]),
    want: ["240.240.0.3_9000 -> site:9000 or routes site:9000"],
    conflicts: ["late"],
  },
  {
    says: "MySQL and a port that nobody names likewise",
    given: plan(CAPTURED, [service("old", { 9000: "mongo" }, ["240.240.0.3"]), site]),
    want: ["240.240.0.3_9000 -> old:9000"],
    routes: {},
    conflicts: ["site"],
  },
  {
    says: "TCP at a port that is known for servers that speak first is no neighbour for HTTP either",
    given: plan(CAPTURED, [service("calls", { 3306: "http" }), service("bytes", { 3306: "tcp" })]),
    want: ["0.0.0.0_3306 -> routes 3306"],
    conflicts: ["bytes"],
  },
  {
    says: "where VIPs are bound it is found out at each",
    given: plan(VIPS, [site]),
    want: ["127.240.0.3_9000* -> site:9000 or routes site:9000"],
    routes: { "site:9000": "site" },
  },
  {
    says: "without capture or VIPs it shares loopback",
    given: plan(NONE, [anywhere]),
    want: ["127.0.0.1_9000* -> routes 9000 | anywhere:9000"],
    routes: { "9000": "anywhere" },
  },
  {
    says: "the forward proxy has its HTTP",
    given: plan(PROXY, [site]),
    want: ["127.0.0.1_15080* -> routes http_proxy"],
    routes: { http_proxy: "site" },
  },
  {
    says: "what nobody says of the service, the Sidecar's listener may",
    given: plan(
      CAPTURED,
      [site],
      [
        { port: { number: 9000, protocol: "http", name: "http" }, bind: "127.0.0.5" },
        { port: { number: 9000, protocol: "tcp", name: "tcp" }, bind: "127.0.0.6" },
        { port: { number: 9000, protocol: "auto", name: "any" }, bind: "127.0.0.7" },
      ],
    ),
    want: [
      "127.0.0.5_9000 -> routes 9000",
      "127.0.0.6_9000 -> site:9000",
      "127.0.0.7_9000 -> routes 9000 | site:9000",
    ],
    routes: { "9000": "site" },
  },
  {
    says: "where hosts are asked for as they are called, all HTTP of a port has that port's routes",
    given: plan(CAPTURED, [site], [{}], { onDemand: true }),
    want: ["240.240.0.3_9000 -> site:9000 or routes 9000"],
    routes: { "9000": "site" },
  },
];
for (const { says, given, want, routes: known, conflicts = [] } of MEETINGS) {
  test(says, () => {
    assert.deepEqual(lines(given), want);
    if (known !== undefined) assert.deepEqual(routes(given), known);
    assert.deepEqual(
      given.conflicts.map(({ hostname }) => hostname),
      conflicts,
    );
  });
}

for (const { says, given, want } of CASES) {
  test(says, () => assert.deepEqual(lines(given), want));
}

test("the routes of a port have every service that has it, oldest first", () => {
  assert.deepEqual(routes(plan(CAPTURED, [web, api])), { "80": "web api" });
  assert.deepEqual(routes(plan(PROXY, [web, api])), { http_proxy: "web api" });
  const own = [
    { port: { number: 80, protocol: "http" as const, name: "http" }, hosts: ["api"] },
    { hosts: ["web"] },
  ];
  assert.deepEqual(routes(plan(CAPTURED, [web, api], own)), { "80": "api" });
});

test("two services that cannot be told apart: the older has the port, and it is said", () => {
  const { conflicts } = plan(CAPTURED, [bare, service("other", { 9000: "tcp" })]);
  assert.deepEqual(
    conflicts.map(({ hostname }) => hostname),
    ["other"],
  );
});

test("the routes of a port are those of the Sidecar's listener with that port, wherever it is bound", () => {
  const own = [
    { port: { number: 80, protocol: "http" as const, name: "http" }, bind: "127.0.0.9", hosts: ["api"] },
    { hosts: ["web"] },
  ];
  const planned = plan(CAPTURED, [web, api], own);
  assert.deepEqual(routes(planned), { "80": "api" });
  assert.deepEqual(
    planned.conflicts.map(({ hostname }) => hostname),
    ["web"],
  );
});

test("a service whose address is not of this mesh cannot be called by VIP, and it is said", () => {
  assert.deepEqual(
    plan(VIPS, [db]).conflicts.map(({ hostname }) => hostname),
    ["db"],
  );
});

for (const port of [15_001, 15_006]) {
  test(`HTTP at port ${port}, where captured connections come in, has no listener of its own, and it is said`, () => {
    const { listeners, conflicts } = plan(CAPTURED, [service("own", { [port]: "http", 80: "http" })]);
    assert.deepEqual([...listeners.keys()], ["0.0.0.0_80"]);
    assert.deepEqual(
      conflicts.map(({ hostname }) => hostname),
      ["own"],
    );
  });
}

test("bytes at such a port of an address of their own have theirs", () => {
  const { listeners } = plan(CAPTURED, [service("own", { 15_006: "tcp" }, ["10.0.0.1"])]);
  assert.deepEqual([...listeners.keys()], ["10.0.0.1_15006"]);
});
