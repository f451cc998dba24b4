import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { after, before, test } from "node:test";
import { serviceVirtualHost } from "../../controlplane/translate/routes/virtual-host.ts";
import { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { lazyHashTable } from "../../proxy/tables/hash-table.ts";
import { xxHash64 } from "../../proxy/tables/xx-hash.ts";
import { client, inScope } from "../fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../fakes/sample-mesh.ts";
import { eventually } from "./eventually.ts";
import { call, type Reply, TestApp } from "./proxy-pair.ts";
import { ROUTE_CASES, type Want } from "./route-cases.ts";
import { freePort } from "./test-proxy.ts";
import { staticCluster } from "./xds-samples.ts";

const HOST = "reviews.default.svc.cluster.local";
const HTTP_PORT = 9080;

const MIRROR = `[{ mirror: { host: ratings }, route: [{ destination: { host: reviews } }] }]`;
/** By subset: the balancer of its cluster. */
const HASHING = {
  ring: { kind: "RING_HASH", minimumSize: 1024, maximumSize: 8_388_608 },
  maglev: { kind: "MAGLEV", tableSize: 65_537 },
} as const;

type NamedCluster = Readonly<Record<string, JsonValue>> & { readonly name: string };

/** A data plane with one HTTP listener at 127.0.0.1. */
export type StartDataPlane = (
  port: number,
  virtualHosts: readonly JsonValue[],
  clusters: readonly NamedCluster[],
) => Promise<AsyncDisposable>;

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** The virtual host of a client of `reviews` under a VirtualService with these routes, for calls to `domain`. */
function virtualHost(http: string, domain: string): JsonValue {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: ${http} }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1 }
    - { name: v2 }
    - { name: ring, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } } }
    - { name: maglev, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user, maglev: { tableSize: 65537 } } } } }
    - { name: query, trafficPolicy: { loadBalancer: { consistentHash: { httpQueryParameterName: user } } } }
    - { name: cookie, trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: user, path: /app, ttl: 60s } } } } }
`;
  const { snapshot } = sampleState({ yaml, workloads: bookinfoWorkloads() }).next();
  const { value } = inScope(snapshot, (scope) => serviceVirtualHost(scope, client(), HOST, HTTP_PORT));
  const message = { ...value.virtualHost, name: domain, domains: [domain] };
  return json.resourceToJson(
    "type.googleapis.com/envoy.config.route.v3.VirtualHost",
    VirtualHost.encode(message).finish(),
  );
}

/** Tells who it is and what it saw. `x-fail` makes the first try go wrong: a status, `reset` or `never`. */
function echo(name: string): RequestListener {
  return ({ url, headers }, response) => {
    const fail = headers["x-fail"];
    if (fail === "never") return;
    if (fail === "reset") {
      response.destroy();
      return;
    }
    if (fail !== undefined && headers["x-envoy-attempt-count"] === "1") {
      response.writeHead(Number(fail)).end();
      return;
    }
    response.setHeader("x-app", name);
    response.end(JSON.stringify({ from: name, url, headers }));
  };
}

interface Echo {
  readonly from: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** Defines a test for each case of what VirtualServices say of HTTP: the same for every data plane. */
export function testRoutesOnTheWire(start: StartDataPlane, skip: string | false = false): void {
  const stack = new AsyncDisposableStack();
  const apps = new Map<string, TestApp>();
  let port = 0;

  before(async () => {
    if (skip) return;
    for (const name of ["reviews", "v1", "v2", "ratings"]) {
      apps.set(name, stack.use(await TestApp.start(echo(name))));
    }
    port = await freePort();
    const hosts = [
      ...ROUTE_CASES.map(({ http }, index) => virtualHost(http, `case-${index}`)),
      virtualHost(MIRROR, "mirror"),
      ...["ring", "maglev", "query", "cookie"].map((subset) =>
        virtualHost(`[{ route: [{ destination: { host: reviews, subset: ${subset} } }] }]`, subset),
      ),
    ];
    stack.use(await start(port, hosts, clusters(apps)));
  });

  after(async () => {
    await stack.disposeAsync();
  });

  for (const [index, { name, calls }] of ROUTE_CASES.entries()) {
    test(`on the wire: ${name}`, { skip }, async () => {
      for (const [given, want] of calls) {
        const host = `case-${index}`;
        const { path = "/", method = "GET", headers = {} } = given;
        const reply = await call(port, path, { method, headers: { ...headers, host } });
        checkReply(reply, want, host, JSON.stringify(given));
      }
    });
  }

  test("on the wire: a mirror sees what its original sees, and its answer counts for nothing", {
    skip,
  }, async () => {
    const reply = await call(port, "/mirrored?a=1", {
      method: "PUT",
      headers: { host: "mirror" },
      body: "text",
    });
    assert.equal((JSON.parse(reply.body) as Echo).from, "reviews");
    await eventually("the mirror is called", () => {
      const seen = apps.get("ratings")?.seen.find(({ url }) => url === "/mirrored?a=1");
      return Promise.resolve(seen?.method === "PUT" && seen.headers.host === "mirror" ? seen : undefined);
    });
  });

  const who = async (path: string, headers: Record<string, string>): Promise<string> =>
    (JSON.parse((await call(port, path, { headers })).body) as Echo).from;
  const users = Array.from({ length: 40 }, (_, user) => `user-${user}`);

  for (const [subset, policy] of Object.entries(HASHING)) {
    test(`on the wire: the hashed header leads each user to the host that the algorithm says (${subset})`, {
      skip,
    }, async () => {
      const shares = ["reviews", "v1", "v2"]
        .map((host) => ({ host, key: `127.0.0.1:${apps.get(host)?.port ?? 0}`, part: 1 / 3 }))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      const table = lazyHashTable(policy, shares);
      const expected = users.map((user) => table(xxHash64(user), () => true));
      const found = await Promise.all(
        users.map(async (user) => await who("/", { host: subset, "x-user": user })),
      );
      assert.deepEqual(found, expected);
      assert.equal(new Set(found).size, 3, "they are spread");
    });
  }

  test("on the wire: calls with the same hashed parameter go to the same host", { skip }, async () => {
    const ask = async (user: string): Promise<string> => await who(`/?a=b&user=${user}`, { host: "query" });
    const first = await Promise.all(users.map(ask));
    assert.deepEqual(await Promise.all(users.map(ask)), first);
    assert.ok(new Set(first).size > 1, "they are spread");
  });

  test("on the wire: a client without the hashed cookie gets one, and stays where it came", {
    skip,
  }, async () => {
    const first = await call(port, "/", { headers: { host: "cookie" } });
    const [, cookie] = /^user="([0-9a-f]{16})"; Max-Age=60; Path=\/app; HttpOnly$/.exec(
      first.headers["set-cookie"]?.join("\n") ?? "",
    ) ?? [first.headers["set-cookie"]?.join("\n")];
    assert.ok(cookie, `no cookie as expected: ${first.headers["set-cookie"]?.join("\n")}`);
    const { from } = JSON.parse(first.body) as Echo;
    for (let round = 0; round < 5; round++) {
      const again = await call(port, "/", { headers: { host: "cookie", cookie: `a=b; user=${cookie}` } });
      assert.equal((JSON.parse(again.body) as Echo).from, from);
      assert.equal(again.headers["set-cookie"], undefined);
    }
  });
}

function clusters(apps: ReadonlyMap<string, TestApp>): NamedCluster[] {
  const at = (...names: string[]): number[] => names.map((name) => apps.get(name)?.port ?? 0);
  const cluster = (subset: string): string => `outbound|${HTTP_PORT}|${subset}|${HOST}`;
  return [
    staticCluster(cluster(""), at("reviews")),
    staticCluster(cluster("v1"), at("v1")),
    staticCluster(cluster("v2"), at("v2")),
    ...["ring", "maglev", "query", "cookie"].map((subset) =>
      staticCluster(cluster(subset), at("reviews", "v1", "v2"), {
        lbPolicy: subset === "maglev" ? "MAGLEV" : "RING_HASH",
      }),
    ),
    staticCluster(`outbound|${HTTP_PORT}||ratings.default.svc.cluster.local`, at("ratings")),
    { name: "BlackHoleCluster", type: "STATIC", connectTimeout: "1s" },
  ];
}

function checkReply(reply: Reply, want: Want, host: string, what: string): void {
  if (want.status !== undefined) assert.equal(reply.status, want.status, what);
  if (want.body !== undefined) assert.equal(reply.body, want.body, what);
  for (const [name, value] of Object.entries(want.headers ?? {})) {
    assert.equal(reply.headers[name], value?.replace("HOST", host), `${what}: ${name} of the answer`);
  }
  if (want.from === undefined && want.url === undefined && want.seen === undefined) return;
  assert.equal(reply.status, 200, what);
  const echoed = JSON.parse(reply.body) as Echo;
  if (want.from !== undefined) assert.equal(echoed.from, want.from, what);
  if (want.url !== undefined) assert.equal(echoed.url, want.url, what);
  for (const [name, value] of Object.entries(want.seen ?? {})) {
    assert.equal(echoed.headers[name], value, `${what}: ${name} as the application saw it`);
  }
}
