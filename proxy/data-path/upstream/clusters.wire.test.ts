import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonValue } from "../../../mesh/xds/json.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { call, type Reply, ROUTES, TestApp } from "../../../test/harness/proxy-pair.ts";
import { freePort, TestProxy, type TestProxyOptions } from "../../../test/harness/test-proxy.ts";
import {
  address,
  endpoints,
  httpOptions,
  outboundHttp,
  outboundTcp,
  proxyProtocol,
  routeConfig,
  routeTo,
  staticCluster,
} from "../../../test/harness/xds-samples.ts";

type Json = Record<string, JsonValue>;

interface Front extends AsyncDisposable {
  readonly proxy: TestProxy;
  call(path?: string, options?: Parameters<typeof call>[2]): Promise<Reply>;
}

/** A proxy that sends everything to the cluster `c`. */
async function front(
  cluster: Json,
  action: Json = {},
  { assignment, ...options }: TestProxyOptions & { readonly assignment?: Json } = {},
): Promise<Front> {
  const proxy = await TestProxy.start(options);
  if (assignment) proxy.ads.set("endpoints", "c", assignment);
  const port = await freePort();
  proxy.ads.set("cluster", "c", { name: "c", connectTimeout: "1s", ...cluster });
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("c", {}, action)]));
  await proxy.ready();
  return {
    proxy,
    call: async (path, how) => await call(port, path, how),
    [Symbol.asyncDispose]: async () => await proxy[Symbol.asyncDispose](),
  };
}

const named = (name: string): Promise<TestApp> => TestApp.start((_request, response) => response.end(name));

const namedEndpoint = (host: string, port: number): Json => ({
  clusterName: "c",
  endpoints: [{ lbEndpoints: [{ endpoint: { address: address(port, host) } }] }],
});

test("names are looked up, again and again; one that gives no answer keeps its addresses", async () => {
  await using app = await named("found");
  let answer: readonly string[] | undefined;
  const asked: string[] = [];
  const resolve = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return answer ? Promise.resolve(answer) : Promise.reject(new Error("ENOTFOUND"));
  };
  const loadAssignment = namedEndpoint("db.example", app.port);
  const cluster = {
    type: "STRICT_DNS",
    dnsLookupFamily: "V4_PREFERRED",
    dnsRefreshRate: "0.02s",
    loadAssignment,
  };
  await using client = await front(cluster, {}, { resolve });
  assert.deepEqual([(await client.call()).status, asked[0]], [503, "db.example"]);
  answer = ["::1", "127.0.0.1"];
  await eventually(
    "the name has an address",
    async () => (await client.call()).body === "found" || undefined,
  );
  answer = undefined;
  const before = asked.length;
  await eventually("it was asked for again", () => Promise.resolve(asked.length > before + 1 || undefined));
  assert.equal((await client.call()).body, "found");
});

test("LOGICAL_DNS uses the first address only", async () => {
  await using app = await named("first");
  const resolve = (): Promise<readonly string[]> => Promise.resolve(["127.0.0.1", "127.0.0.2"]);
  const loadAssignment = namedEndpoint("db.example", app.port);
  await using client = await front({ type: "LOGICAL_DNS", loadAssignment }, {}, { resolve });
  for (let round = 0; round < 6; round++) assert.equal((await client.call()).body, "first");
  assert.equal((await client.proxy.admin("/clusters")).body.includes("127.0.0.2"), false);
});

test("an endpoint may be a unix socket", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-unix-"));
  const path = join(folder, "app.sock");
  const app = createHttpServer((_request, response) => response.end("unix"));
  await new Promise<void>((resolve) => app.listen(path, resolve));
  const lbEndpoints = [{ endpoint: { address: { pipe: { path } } } }];
  const loadAssignment = { clusterName: "c", endpoints: [{ lbEndpoints }] };
  await using client = await front({ type: "STATIC", loadAssignment });
  assert.equal((await client.call()).body, "unix");
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

test("when too little of the first priority is left, the second gets its share, and takes over", async () => {
  await using near = await named("near");
  await using far = await named("far");
  const cluster = { type: "EDS", edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } } };
  const group = (port: number, priority: number, statuses: readonly string[]): Json => ({
    priority,
    lbEndpoints: statuses.map((healthStatus, index) => ({
      healthStatus,
      endpoint: { address: address(port, `127.0.0.${index + 1}`) },
    })),
  });
  await using client = await front(cluster, {}, { assignment: { clusterName: "c" } });
  const tally = async (statuses: readonly string[]): Promise<number> => {
    const groups = [group(near.port, 0, statuses), group(far.port, 1, ["HEALTHY"])];
    const before = client.proxy.ads.acks("endpoints");
    client.proxy.ads.set("endpoints", "c", { clusterName: "c", endpoints: groups });
    await eventually("the endpoints are in force", () =>
      Promise.resolve(client.proxy.ads.acks("endpoints") > before || undefined),
    );
    const replies = await Promise.all(Array.from({ length: 100 }, async () => await client.call()));
    return replies.filter(({ body }) => body === "far").length;
  };
  assert.equal(await tally(["HEALTHY", "UNHEALTHY"].slice(0, 1)), 0);
  // Half of it is healthy and takes 70 %; five standard deviations of a binomial are 23.
  const some = await tally(["HEALTHY", "UNHEALTHY"]);
  assert.ok(some > 7 && some < 53, `${some} went far`);
  assert.equal(await tally(["UNHEALTHY", "UNHEALTHY"]), 100);
});

test("beyond the connections that there may be, so many requests wait, and the next fail at once", async () => {
  const held: (() => void)[] = [];
  await using app = await TestApp.start((_request, response) => held.push(() => response.end("done")));
  const circuitBreakers = { thresholds: [{ maxConnections: 1, maxPendingRequests: 2 }] };
  await using client = await front(staticCluster("c", [app.port], { circuitBreakers }));
  const all = ["/1", "/2", "/3"].map(async (path) => await client.call(path));
  await eventually("one has the connection and two wait", async () => {
    const { body } = await client.proxy.admin("/clusters");
    return (held.length === 1 && body.includes("rq_active::3")) || undefined;
  });
  const overflow = await client.call("/4");
  assert.equal(overflow.status, 503);
  assert.match(overflow.body, /overflow/);
  const release = setInterval(() => held.shift()?.(), 5);
  const replies = await Promise.all(all);
  clearInterval(release);
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 200],
  );
});

test("checks of health use none of the connections that there may be", async () => {
  await using app = await TestApp.start((_request, response) => response.end("done"));
  const circuitBreakers = { thresholds: [{ maxConnections: 1 }] };
  const often = { interval: "0.05s", noTrafficInterval: "0.05s" };
  const times = { timeout: "2s", unhealthyThreshold: 1, healthyThreshold: 1, ...often };
  const healthChecks = [{ ...times, httpHealthCheck: { path: "/health", host: "c" } }];
  await using client = await front(staticCluster("c", [app.port], { circuitBreakers, healthChecks }));
  await eventually("it is checked on a connection that is kept", () =>
    Promise.resolve(app.seen.filter(({ url }) => url === "/health").length > 2 || undefined),
  );
  assert.equal((await client.call("/1")).body, "done");
  const { body } = await client.proxy.admin("/stats/prometheus");
  assert.match(body, /^envoy_cluster_upstream_cx_active\{[^}]*\} 1$/m);
});

test("a retry budget counts the requests that run", async () => {
  let calls = 0;
  await using app = await TestApp.start((_request, response) => {
    calls++;
    response.writeHead(503).end();
  });
  const retryBudget = { budgetPercent: { value: 20 }, minRetryConcurrency: 1 };
  const circuitBreakers = { thresholds: [{ maxRetries: 0, retryBudget }] };
  const retryPolicy = { retryOn: "5xx", numRetries: 1, retryBackOff: { baseInterval: "0.001s" } };
  await using client = await front(staticCluster("c", [app.port], { circuitBreakers }), { retryPolicy });
  assert.equal((await client.call()).status, 503);
  assert.equal(calls, 2);
});

test("a connection is not used beyond its age", async () => {
  const ports = new Set<number | undefined>();
  await using app = await TestApp.start((request, response) => {
    ports.add(request.socket.remotePort);
    response.end();
  });
  const fields = httpOptions({ commonHttpProtocolOptions: { maxConnectionDuration: "0.05s" } });
  await using client = await front(staticCluster("c", [app.port], fields));
  await eventually("another connection is used", async () => {
    await client.call();
    return ports.size > 1 || undefined;
  });
});

/** Answers each connection with what it said first, and closes it. */
async function listenForHeader(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      const text = chunk.toString("latin1");
      const body = text.slice(0, text.indexOf("GET") < 0 ? undefined : text.indexOf("GET"));
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
        "latin1",
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  return { server, port: typeof place === "object" && place ? place.port : 0 };
}

test("the caller's address comes first with the PROXY protocol, for HTTP and for TCP", async () => {
  const { server, port } = await listenForHeader();
  const transportSocket = proxyProtocol("V1");
  await using client = await front(staticCluster("c", [port], { transportSocket }));
  const own = (await client.call()).body;
  assert.match(own, /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
  assert.notEqual((await client.call()).body, own, "another caller has another connection");
  const tcpPort = await freePort();
  client.proxy.ads.set("listener", `127.0.0.1_${tcpPort}`, outboundTcp(tcpPort, { cluster: "c" }));
  await client.proxy.ready();
  const socket = await eventually("the port is open", async () => {
    const opened = connect(tcpPort, "127.0.0.1");
    return await new Promise<typeof opened | undefined>((resolve) => {
      opened.once("connect", () => resolve(opened));
      opened.once("error", () => resolve(undefined));
    });
  });
  const heard = new Promise<string>((resolve) => socket.once("data", (chunk) => resolve(chunk.toString())));
  assert.match(
    await heard,
    new RegExp(`PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 ${socket.localPort} ${tcpPort}\r\n$`),
  );
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("endpoints that are not told apart by locality are all used", async () => {
  await using a = await named("a");
  await using b = await named("b");
  const cluster = { type: "EDS", edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } } };
  const byLocality = { ...cluster, commonLbConfig: { localityWeightedLbConfig: {} } };
  const assignment = endpoints("c", [a.port, b.port], false);
  await using client = await front(byLocality, {}, { assignment });
  await eventually("both are called", async () => {
    const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await client.call()).body));
    return (bodies.includes("a") && bodies.includes("b")) || undefined;
  });
});
