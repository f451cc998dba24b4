import { port, workload } from "../../fakes/sample-mesh.ts";
import { eventually } from "../../harness/eventually.ts";
import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";
const HTTP_PORT = 8080;

const INTERNAL = "location: MESH_INTERNAL, resolution: STATIC";
const dns = (resolution: string, more = ""): string =>
  `location: MESH_EXTERNAL, resolution: ${resolution}${more}`;
/** Its only port leads to where the HTTP applications listen. */
const byName = (host: string, resolution: string, endpoints: readonly string[] = []): string => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host} }
spec: { hosts: ["${host}"], location: MESH_EXTERNAL, resolution: ${resolution}, ports: [{ number: 80, name: p0, protocol: HTTP, targetPort: ${HTTP_PORT} }],
        endpoints: [${endpoints.map((address) => `{ address: ${address} }`).join()}] }`;

/** Those of agents speak mesh TLS unless the mesh says otherwise. */
const PLAINTEXT = `
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: DISABLE } }`;

const workloadEntry = (name: string, spec: string): string => `
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { ${spec} }`;

/** A workload of an agent, whose proxy seems to be an application. */
const placed = (service: string, app: string, at: At): ReturnType<typeof workload> =>
  workload(service, {
    name: `${service}-${app}`,
    labels: { app: service, version: app },
    ports: [port({ inbound: at(app), app: at(app) })],
  });

const SPELLINGS = [
  "reviews",
  "reviews.default",
  "reviews.default.svc",
  "reviews.default.svc.cluster.local",
  "reviews.service.consul",
  "reviews.mesh",
  "reviews.default.mesh",
] as const;

export const SERVICE_CASES: readonly WireCase[] = [
  ...SPELLINGS.map(
    (spelled): WireCase => ({
      name: `${spelled} is the service, where it is called, routed and ruled`,
      caller: { discovery: "mesh" },
      yaml: () =>
        PLAINTEXT +
        rule(spelled, "subsets: [{ name: only, labels: { version: b } }]", "{ name: reviews }") +
        routes(
          spelled,
          `http: [{ match: [{ uri: { prefix: /only } }], route: [{ destination: { host: ${spelled}, subset: only } }] }, { route: [{ destination: { host: ${spelled} } }] }]`,
          "{ name: reviews }",
        ),
      workloads: (at) => ["a", "b"].map((app) => placed("reviews", app, at)),
      calls: [
        many(20, http(`${spelled}:9080`, {}, { path: "/only" }), { b: [20, 20] }),
        many(30, http(`proxy ${spelled}:9080`, {}), { a: [1, 29], b: [1, 29] }),
      ],
    }),
  ),
  {
    name: "a short name is looked for in the caller's namespace, a longer one in its own",
    yaml: () => PLAINTEXT,
    caller: { namespace: "team" },
    workloads: (at) => [
      { ...placed("reviews", "a", at), namespace: "team" },
      { ...placed("reviews", "b", at) },
    ],
    calls: [
      http("reviews:9080", "a"),
      http("reviews.default:9080", "b"),
      http("reviews.default.mesh:9080", "b"),
    ],
  },
  {
    name: "names are looked up, and all their addresses are called (DNS)",
    yaml: () => byName("many.test", "DNS"),
    calls: [many(40, http("many.test:80", {}), { a: [5, 35], b: [5, 35] })],
  },
  {
    name: "names of endpoints are looked up, each by itself (DNS)",
    yaml: () => byName(SHOP, "DNS", ["b.name.test", "c.name.test"]),
    calls: [many(40, http(CALL, {}), { b: [5, 35], c: [5, 35] })],
  },
  {
    name: "a name has one address at a time (DNS_ROUND_ROBIN)",
    yaml: () => byName(SHOP, "DNS_ROUND_ROBIN", ["c.name.test"]),
    calls: [many(10, http(CALL, {}), { c: [10, 10] })],
  },
  {
    name: "a name is looked up again, as often as the mesh says",
    yaml: () =>
      byName("moving.test", "DNS") +
      `
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { dnsRefreshRate: 1s }`,
    calls: [many(5, http("moving.test:80", {}), { a: [5, 5] })],
    run: async (wire) => {
      wire.names.set("moving.test", [wire.apps.at("d").address]);
      await eventually("d is called", async () => (await wire.http("moving.test:80")).echo?.app === "d");
    },
  },
  {
    name: "a name without an answer is a service without endpoints",
    yaml: (at) => byName(SHOP, "DNS", ["nobody.test"]) + entry(DB, "9000 TCP", [at("ta")]),
    calls: [http(CALL, { status: 503 }), tcp(`${DB}:9000`, "ta")],
  },
  {
    name: "a host of a wildcard is looked up when it is called (DYNAMIC_DNS)",
    yaml: () => entry("*.name.test", `${HTTP_PORT} HTTP`, [], dns("DYNAMIC_DNS")),
    caller: { discovery: "mesh" },
    calls: [
      http(`proxy b.name.test:${HTTP_PORT}`, "b"),
      http(`proxy c.name.test:${HTTP_PORT}`, "c"),
      http(`proxy nobody.name.test:${HTTP_PORT}`, { status: 503 }),
      http(`proxy b.another.test:${HTTP_PORT}`, { status: 502 }),
    ],
  },
  {
    name: "such a host is called with the connections that a DestinationRule gives it",
    yaml: () =>
      entry("*.name.test", `${HTTP_PORT} HTTP`, [], dns("DYNAMIC_DNS")) +
      rule("*.name.test", "trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }"),
    caller: { discovery: "mesh" },
    calls: [http(`proxy b.name.test:${HTTP_PORT}`, "b"), http(`proxy c.name.test:${HTTP_PORT}`, "c")],
  },
  {
    name: "without captured connections a service of no resolution is called where its endpoints are (NONE)",
    yaml: () => entry("b.name.test", `${HTTP_PORT} HTTP`, [], dns("NONE")),
    calls: [http(`b.name.test:${HTTP_PORT}`, "b")],
  },
  {
    name: "an endpoint may be a unix socket",
    yaml: (at) => entry(SHOP, "80 HTTP", [at("unix")]),
    calls: [http(CALL, "unix")],
  },
  {
    name: "an endpoint without a port of its own is called at the target port",
    yaml: (at) => byName(SHOP, "STATIC", [at("d").address]),
    calls: [http(CALL, "d")],
  },
  {
    name: "endpoints inside the mesh with a service account are called by mesh TLS",
    yaml: (at) => entry(DB, "9000 TCP", [{ ...at("mesh"), serviceAccount: "mesh" }], INTERNAL),
    calls: [
      tcp(`${DB}:9000`, {
        from: "mesh",
        echo: {
          client: "spiffe://cluster.local/ns/default/sa/caller",
          serverName: "outbound_.9000_._.db.test",
          alpn: "istio",
        },
      }),
    ],
  },
  {
    name: "an endpoint of another service account than its own is not believed",
    yaml: (at) => entry(DB, "9000 TCP", [{ ...at("mesh"), serviceAccount: "another" }], INTERNAL),
    calls: [tcp(`${DB}:9000`, "nobody")],
  },
  {
    name: "outside the mesh the same endpoints are called in plaintext",
    yaml: (at) => entry(DB, "9000 TCP", [{ ...at("ta"), serviceAccount: "mesh" }]),
    calls: [tcp(`${DB}:9000`, "ta")],
  },
  {
    name: "subjectAltNames are the identities that its endpoints may have",
    yaml: (at) =>
      [
        [DB, "mesh"],
        ["other.test", "another"],
      ]
        .map(([host = "", account]) =>
          entry(
            host,
            "9000 TCP",
            [{ ...at("mesh"), labels: { "security.istio.io/tlsMode": "istio" } }],
            `${INTERNAL}, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/${account}"]`,
          ),
        )
        .join(""),
    calls: [tcp(`${DB}:9000`, "mesh"), tcp("other.test:9000", "nobody")],
  },
  {
    name: "a selector chooses WorkloadEntries by their labels, each at its own port of that name",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [], `${INTERNAL}, workloadSelector: { labels: { app: shop } }`) +
      workloadEntry(
        "a",
        `address: ${at("a").address}, ports: { p0: ${HTTP_PORT} }, labels: { app: shop, version: v1 }`,
      ) +
      workloadEntry(
        "b",
        `address: ${at("b").address}, ports: { p0: ${HTTP_PORT} }, labels: { app: shop, version: v2 }`,
      ) +
      workloadEntry("c", `address: ${at("c").address}, ports: { p0: ${HTTP_PORT} }, labels: { app: other }`) +
      rule(SHOP, "subsets: [{ name: v2, labels: { version: v2 } }]") +
      routes(
        SHOP,
        `http: [{ match: [{ uri: { prefix: /v2 } }], route: [{ destination: { host: ${SHOP}, subset: v2 } }] }, { route: [{ destination: { host: ${SHOP} } }] }]`,
      ),
    calls: [
      many(30, http(CALL, {}), { a: [3, 27], b: [3, 27] }),
      many(10, http(CALL, {}, { path: "/v2" }), { b: [10, 10] }),
    ],
  },
  {
    name: "a selector chooses workloads of agents too, and loses those whose labels go",
    yaml: (at) =>
      PLAINTEXT +
      entry(SHOP, "9080 HTTP", [], `${INTERNAL}, workloadSelector: { labels: { app: reviews } }`) +
      workloadEntry(
        "c",
        `address: ${at("c").address}, ports: { p0: ${HTTP_PORT} }, labels: { app: reviews }`,
      ),
    workloads: (at) => [placed("reviews", "a", at), placed("ratings", "b", at)],
    calls: [many(30, http(`${SHOP}:9080`, {}), { a: [3, 27], c: [3, 27] })],
    run: async (wire) => {
      await wire.apply(
        `${PLAINTEXT}${entry(SHOP, "9080 HTTP", [], `${INTERNAL}, workloadSelector: { labels: { app: ratings } }`)}`,
      );
      await eventually("only b", async () => {
        const seen = await wire.tally(5, { kind: "http", to: `${SHOP}:9080` });
        return seen["b"] === 5;
      });
    },
  },
  {
    name: "a service gets an address by itself, which can be called",
    yaml: (at) => entry(SHOP, "8000 HTTP", [at("a")], INTERNAL),
    caller: { discovery: "mesh", vips: "loopback" },
    calls: [http(`vip ${SHOP}:8000`, "a")],
  },
];

export const VISIBILITY_CASES: readonly WireCase[] = [
  {
    name: "a service that is not exported to the caller's namespace is not there for it",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")], `${INTERNAL}, exportTo: ["."]`, "{ name: shop, namespace: team }") +
      entry(
        "given.test",
        "80 HTTP",
        [at("b")],
        `${INTERNAL}, exportTo: [default]`,
        "{ name: given, namespace: team }",
      ) +
      entry(
        "nobodys.test",
        "80 HTTP",
        [at("c")],
        `${INTERNAL}, exportTo: ["~"]`,
        "{ name: nobodys, namespace: team }",
      ),
    calls: [http(CALL, "nobody"), http("given.test:80", "b"), http("nobodys.test:80", "nobody")],
  },
];
