import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { type At, entry, http, many, routes, rule, type WireCase } from "../wire-case.ts";

const REVIEWS = "reviews.test";
const CALL = `${REVIEWS}:80`;
const to = (host: string): string => `route: [{ destination: { host: ${host} } }]`;

/** `reviews.test` is `a`; `b.test`, `c.test` and `d.test` are the others. */
const services = (at: At): string =>
  entry(REVIEWS, "80 HTTP", [at("a")]) +
  ["b", "c", "d"].map((app) => entry(`${app}.test`, "80 HTTP", [at(app)])).join("");

/** A VirtualService without hosts: a delegate. */
const delegate = (metadata: string, spec: string): string => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: ${metadata}
spec: { ${spec} }`;

/** Longer than its caller waits. */
const IN_A_HURRY = { "content-type": "application/grpc", "grpc-timeout": "200m", "x-delay": "5000" };

export const HTTP_CASES: readonly WireCase[] = [
  {
    name: "a delegate's routes stand where its root's route was, and what does not fit the root's match is dropped",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /shop } }], delegate: { name: shop, namespace: team } }, { ${to("d.test")} }]`,
      ) +
      delegate(
        "{ name: shop, namespace: team }",
        `http: [{ match: [{ uri: { prefix: /shop/cart } }], ${to("b.test")} }, { match: [{ uri: { prefix: /other } }], ${to("b.test")} }, { ${to("c.test")} }]`,
      ),
    calls: [
      http(CALL, "b", { path: "/shop/cart/1" }),
      http(CALL, "c", { path: "/shop/else" }),
      http(CALL, "d", { path: "/other" }),
      http(CALL, "d", { path: "/" }),
    ],
  },
  {
    name: "a delegate's route has both matches, and of the root what it does not say itself",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /shop }, headers: { x-team: { exact: one } } }], delegate: { name: shop }, timeout: 0.2s,
                  headers: { request: { set: { x-root: "yes" } } } }, { ${to("d.test")} }]`,
      ) +
      delegate(
        "{ name: shop }",
        `http: [{ match: [{ uri: { prefix: /shop/slow } }], timeout: 5s, ${to("b.test")} }, { retries: { attempts: 0 }, ${to("c.test")} }]`,
      ),
    calls: [
      http(CALL, { from: "c", seen: { "x-root": "yes" } }, { path: "/shop/x", headers: { "x-team": "one" } }),
      http(CALL, "d", { path: "/shop/x", headers: { "x-team": "two" } }),
      http(
        CALL,
        { status: 504, tookMs: [150, 5_000] },
        { path: "/shop/x", headers: { "x-team": "one", "x-delay": "500" } },
      ),
      http(CALL, "b", { path: "/shop/slow", headers: { "x-team": "one", "x-delay": "500" } }),
    ],
  },
  {
    name: "a delegate that is not exported to its root's namespace, or not there, takes its route with it",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /hidden } }], delegate: { name: hidden, namespace: team } },
                { match: [{ uri: { prefix: /gone } }], delegate: { name: gone } }, { ${to("d.test")} }]`,
      ) +
      delegate("{ name: hidden, namespace: team }", `exportTo: ["."], http: [{ ${to("b.test")} }]`),
    calls: [http(CALL, "d", { path: "/hidden" }), http(CALL, "d", { path: "/gone" })],
  },
  {
    name: "routes are for the callers and the port that their matches name",
    yaml: (at) =>
      entry(REVIEWS, "80 HTTP, 81 HTTP", [at("a")]) +
      ["b", "c", "d"].map((app) => entry(`${app}.test`, "80 HTTP, 81 HTTP", [at(app)])).join("") +
      routes(
        REVIEWS,
        `http: [{ match: [{ sourceLabels: { app: stranger } }], ${to("d.test")} },
                { match: [{ sourceNamespace: stranger }], ${to("d.test")} },
                { match: [{ gateways: [edge] }], ${to("d.test")} },
                { match: [{ port: 81, sourceLabels: { app: caller }, sourceNamespace: default }], ${to("b.test")} },
                { match: [{ gateways: [mesh] }], ${to("c.test")} }]`,
      ).replace("spec: {", "spec: { gateways: [mesh, edge],"),
    calls: [http(CALL, "c"), http(`${REVIEWS}:81`, "b")],
  },
  ...["", ", retryIgnorePreviousHosts: false"].map(
    (ignore): WireCase => ({
      name:
        ignore === ""
          ? "a retry goes to another host than the first try"
          : "retryIgnorePreviousHosts: false lets a retry go to the same host",
      yaml: (at) =>
        entry(REVIEWS, "80 HTTP", [at("a"), at("b")]) +
        routes(REVIEWS, `http: [{ retries: { attempts: 1, retryOn: "502"${ignore} }, ${to(REVIEWS)} }]`) +
        // By chance it may be the same host again and again, however often Envoy looks for another.
        rule(
          REVIEWS,
          `trafficPolicy: { loadBalancer: { simple: ${ignore === "" ? "ROUND_ROBIN" : "RANDOM"} } }`,
        ),
      calls: [
        many(
          60,
          http(CALL, {}, { headers: { "x-fail": "502", "x-fail-at": "a" } }),
          ignore === "" ? { b: [60, 60] } : { a: [1, 40], b: [20, 59] },
        ),
      ],
    }),
  ),
  {
    name: "each of several mirrors gets its part, and its answer counts for nothing",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ ${to(REVIEWS)}, mirrors: [{ destination: { host: b.test } }, { destination: { host: c.test }, percentage: { value: 0 } },
                                           { destination: { host: d.test }, percentage: { value: 50 } }] }]`,
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const { apps } = wire;
      const before = ["b", "c", "d"].map((app) => apps.taken(app));
      const taken = (): readonly number[] =>
        ["b", "c", "d"].map((app, index) => apps.taken(app) - (before[index] ?? 0));
      assert.deepEqual(await wire.tally(60, { kind: "http", to: CALL }), { a: 60 });
      await eventually("b has a copy of each", () => taken()[0] === 60);
      const [, c = 0, d = 0] = taken();
      assert.equal(c, 0);
      assert.ok(d >= 10 && d <= 50, `d got ${d} of 60`);
    },
  },
  {
    name: "delays are for the part of the calls that they name",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /all } }], fault: { delay: { fixedDelay: 0.2s, percentage: { value: 100 } } }, ${to(REVIEWS)} },
                { match: [{ uri: { prefix: /none } }], fault: { delay: { fixedDelay: 5s, percentage: { value: 0 } } }, ${to(REVIEWS)} },
                { fault: { delay: { fixedDelay: 0.2s, percentage: { value: 100 } }, abort: { httpStatus: 418, percentage: { value: 100 } } }, ${to(REVIEWS)} }]`,
      ),
    calls: [
      http(CALL, { from: "a", tookMs: [190, 5_000] }, { path: "/all" }),
      http(CALL, { from: "a", tookMs: [0, 4_900] }, { path: "/none" }),
      http(CALL, { status: 418, tookMs: [190, 5_000] }, { path: "/both" }),
    ],
  },
  {
    name: "half of the calls are aborted where the percentage says so",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ fault: { abort: { httpStatus: 555, percentage: { value: 50 } } }, ${to(REVIEWS)} }]`,
      ),
    calls: [many(80, http(CALL, {}), { a: [15, 65], "nobody (555)": [15, 65] })],
  },
  {
    name: "retries wait as long as their back-off says",
    yaml: (at) =>
      services(at) +
      routes(REVIEWS, `http: [{ retries: { attempts: 1, retryOn: "503", backoff: 400ms }, ${to(REVIEWS)} }]`),
    upstreams: [CALL],
    run: async (wire) => {
      const answers = await wire.atOnce(12, CALL, { headers: { "x-fail": "503" } });
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      // Each waits for a random part of it; the default would never wait for more than 25 ms.
      assert.ok(Math.max(...answers.map(({ tookMs }) => tookMs)) > 80);
    },
  },
  {
    name: "retries are for the conditions and codes that they name",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /gateway } }], retries: { attempts: 1, retryOn: gateway-error }, ${to(REVIEWS)} },
                { match: [{ uri: { prefix: /codes } }], retries: { attempts: 1, retryOn: "418,429" }, ${to(REVIEWS)} },
                { match: [{ uri: { prefix: /reset } }], retries: { attempts: 1, retryOn: reset }, ${to(REVIEWS)} },
                { retries: { attempts: 1, retryOn: connect-failure }, ${to(REVIEWS)} }]`,
      ),
    calls: [
      http(CALL, { status: 200 }, { path: "/gateway", headers: { "x-fail": "502" } }),
      http(CALL, { status: 500 }, { path: "/gateway", headers: { "x-fail": "500" } }),
      http(CALL, { status: 200 }, { path: "/codes", headers: { "x-fail": "429" } }),
      http(CALL, { status: 503 }, { path: "/codes", headers: { "x-fail": "503" } }),
      http(CALL, { status: 200 }, { path: "/reset", headers: { "x-fail": "reset" } }),
      http(CALL, { status: 503 }, { path: "/else", headers: { "x-fail": "reset" } }),
    ],
  },
  {
    name: "without a timeout a gRPC caller's own deadline counts, with one the route's",
    yaml: (at) =>
      services(at) +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /limited } }], timeout: 6s, ${to(REVIEWS)} }, { ${to(REVIEWS)} }]`,
      ),
    calls: [
      http(
        CALL,
        { status: 200, from: "nobody", answer: { "grpc-status": "4" }, tookMs: [190, 4_000] },
        { headers: IN_A_HURRY },
      ),
      http(CALL, "a", { path: "/limited", headers: { ...IN_A_HURRY, "x-delay": "700" } }),
    ],
  },
  {
    name: "perTryTimeout: a try that takes too long makes room for the next",
    yaml: (at) =>
      entry(REVIEWS, "80 HTTP", [at("silent"), at("b")]) +
      rule(REVIEWS, "trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }") +
      routes(
        REVIEWS,
        `http: [{ match: [{ uri: { prefix: /once } }], timeout: 4s, retries: { attempts: 1, perTryTimeout: 0.2s, retryOn: 5xx }, ${to(REVIEWS)} }]`,
      ),
    calls: [many(4, http(CALL, {}, { path: "/once" }), { b: [4, 4] })],
  },
  {
    name: "routes at a VIP are chosen by the host that is called, whatever its spelling",
    yaml: (at) =>
      ["a", "b", "c"].map((app) => entry(`${app}.test`, "8000 HTTP", [at(app)])).join("") +
      routes("b.test", `http: [{ match: [{ uri: { prefix: /c } }], ${to("c.test")} }, { ${to("b.test")} }]`),
    caller: { discovery: "mesh", vips: "loopback" },
    calls: [
      http("vip a.test:8000", "a"),
      http("vip b.test:8000", "b"),
      http("vip b.test:8000", "c", { path: "/c" }),
      http("vip b.test:8000", "b", { headers: { host: "B.test:8000" } }),
      http("vip a.test:8000", { status: 502 }, { headers: { host: "nobody.example" } }),
    ],
  },
  {
    name: "a VirtualService for the host itself goes before those for wildcards, the longest of these first",
    yaml: (at) =>
      services(at) +
      routes("*.test", `http: [{ ${to("b.test")} }]`, "{ name: wide }") +
      routes("*.shop.test", `http: [{ ${to("c.test")} }]`, "{ name: narrow }") +
      routes("one.shop.test", `http: [{ ${to("d.test")} }]`, "{ name: exact }") +
      ["one.shop.test", "two.shop.test", "three.test"]
        .map((host) => entry(host, "80 HTTP", [at("a")]))
        .join(""),
    calls: [http("one.shop.test:80", "d"), http("two.shop.test:80", "c"), http("three.test:80", "b")],
  },
  {
    name: "a host of no registry has its VirtualService's routes, at port 80 alone",
    yaml: (at) => services(at) + routes("nowhere.example", `http: [{ ${to("b.test")} }]`),
    caller: { discovery: "mesh" },
    calls: [
      http("proxy nowhere.example:80", "b"),
      http("proxy nowhere.example:81", { status: 502 }),
      http("proxy elsewhere.example:80", { status: 502 }),
    ],
  },
  {
    name: "beside a service of its VirtualService, a host of no registry has the routes at that one's port too",
    yaml: (at) =>
      services(at) +
      entry("other.test", "8080 HTTP", [at("a")]) +
      routes(["other.test", "nowhere.example"], `http: [{ ${to("b.test")} }]`),
    caller: { discovery: "mesh" },
    calls: [
      http("proxy other.test:8080", "b"),
      http("proxy nowhere.example:8080", "b"),
      http("proxy nowhere.example:80", "b"),
      http("proxy nowhere.example:8081", { status: 502 }),
    ],
  },
  {
    name: "a service with a wildcard is each host that it covers, unless another has the host itself",
    yaml: (at) =>
      entry("*.wild.test", "80 HTTP", [at("a")]) +
      entry("*.b.wild.test", "80 HTTP", [at("b")]) +
      entry("c.wild.test", "80 HTTP", [at("c")]),
    caller: { discovery: "mesh" },
    calls: [
      http("proxy x.wild.test:80", "a"),
      http("proxy x.b.wild.test:80", "b"),
      http("proxy c.wild.test:80", "c"),
      http("proxy wild.test:80", { status: 502 }),
    ],
  },
];
