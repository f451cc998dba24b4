import assert from "node:assert/strict";
import { Agent } from "node:http";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { CLUSTER, call, ProxyPair, ROUTES, SERVER_ID, TestApp } from "../../test/harness/proxy-pair.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import {
  endpoints,
  httpManager,
  outboundHttp,
  routeConfig,
  router,
  routeTo,
  staticCluster,
  stdoutLog,
} from "../../test/harness/xds-samples.ts";

const lua = {
  name: "envoy.filters.http.lua",
  typedConfig: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1s" },
};

test("what is not implemented is refused by name, and the former listener goes on", async () => {
  await using app = await TestApp.start();
  await using proxy = await TestProxy.start();
  const port = await freePort();
  proxy.ads.set("cluster", "app", staticCluster("app", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("app")]));
  await proxy.ready();
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES, { httpFilters: [lua, router] }));
  await eventually("a NACK", () => proxy.ads.nacks.length > 0);
  assert.equal(
    proxy.ads.nacks[0],
    `proxy.unsupported: listener 127.0.0.1_${port}: http filter "envoy.filters.http.lua" is not implemented`,
  );
  assert.equal((await call(port)).status, 200);
  const dump = (await proxy.admin("/config_dump")).body;
  assert.match(dump, /"error_state"/);
  assert.match(dump, /"active_state"/);
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES, { maxRequestHeadersKb: 10 }));
  await eventually(
    "the next good one is taken",
    async () => !(await proxy.admin("/config_dump")).body.includes("error_state"),
  );
});

test("one broken resource of many is refused alone", async () => {
  await using app = await TestApp.start();
  await using proxy = await TestProxy.start();
  const port = await freePort();
  proxy.ads.set("cluster", "bad", { name: "bad", clusterType: { name: "envoy.clusters.aggregate" } });
  proxy.ads.set("cluster", "good", staticCluster("good", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("good")]));
  await proxy.ready();
  assert.equal((await call(port)).status, 200);
  assert.deepEqual(proxy.ads.nacks, [
    'proxy.unsupported: cluster bad: cluster type "envoy.clusters.aggregate" is not implemented',
  ]);
});

test("a port that is taken is a NACK that names the holder", async () => {
  const holder = createServer().unref();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };
  await using proxy = await TestProxy.start();
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  await eventually("a NACK", () => proxy.ads.nacks.length > 0);
  assert.match(
    proxy.ads.nacks[0] ?? "",
    new RegExp(`proxy.bind: bind 127.0.0.1:${port}: the port is in use by .+ \\(pid ${process.pid}\\)`),
  );
  const ready = await proxy.admin("/ready");
  assert.equal(ready.status, 503);
  assert.match(ready.body, /was refused/);
  holder.close();
});

test("readiness waits for all that a listener refers to, and connections wait with it", async () => {
  await using app = await TestApp.start();
  await using proxy = await TestProxy.start();
  const port = await freePort();
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  await eventually("the listener is bound", async () =>
    (await proxy.admin("/ready")).body.includes("waits for"),
  );
  const early = call(port);
  assert.match((await proxy.admin("/ready")).body, new RegExp(`routes ${ROUTES}`));
  proxy.ads.set("cluster", CLUSTER, {
    name: CLUSTER,
    type: "EDS",
    edsClusterConfig: { edsConfig: { ads: {} } },
  });
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo(CLUSTER)]));
  await eventually("it waits for endpoints", async () =>
    (await proxy.admin("/ready")).body.includes("endpoints of"),
  );
  proxy.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [app.port], false));
  await proxy.ready();
  assert.equal((await early).status, 200);
});

test("a change of listener, routes, clusters and endpoints drops no connection and fails no request", async () => {
  // What takes longer than the drain time is cut: on a busy machine a request may take as long as the harness gives.
  await using pair = await ProxyPair.start({ drainMs: 60_000 });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const statuses: number[] = [];
  const stop = new AbortController();
  const load = Array.from({ length: 4 }, async () => {
    while (!stop.signal.aborted)
      statuses.push((await pair.call("/", { agent }).catch(() => ({ status: 0 }))).status);
  });
  for (let round = 0; round < 10; round++) {
    const before = statuses.length;
    pair.listen({
      mode: round % 2 === 0 ? "PERMISSIVE" : "STRICT",
      manager: { maxRequestHeadersKb: 20 + round },
    });
    pair.client.ads.set(
      "listener",
      `127.0.0.1_${pair.port}`,
      outboundHttp(pair.port, ROUTES, { maxRequestHeadersKb: 20 + round }),
    );
    pair.client.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo(CLUSTER, { name: `r${round}` })]));
    pair.client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [pair.inboundPort], true));
    await eventually("requests went on", () => statuses.length > before + 20);
  }
  stop.abort();
  await Promise.all(load);
  agent.destroy();
  assert.deepEqual([...new Set(statuses)], [200]);
});

test("a TCP connection outlives a change of its listener", async () => {
  await using pair = await ProxyPair.start({ mode: "DISABLE" });
  const socket = connect(pair.inboundPort, "127.0.0.1");
  let answers = "";
  socket.on("data", (chunk: Buffer) => (answers += chunk.toString()));
  socket.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
  await eventually("the first answer", () => answers.includes("200 OK"));
  const acks = pair.server.ads.acks("listener");
  pair.listen({ mode: "DISABLE", manager: { streamIdleTimeout: "77s" } });
  await eventually("the change is taken", () => pair.server.ads.acks("listener") > acks);
  socket.write("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
  await eventually("the second answer, on the same connection", () => answers.split("200 OK").length === 3);
  socket.destroy();
});

test("when the agent is lost everything goes on, and comes back without asking for what is held", async () => {
  await using pair = await ProxyPair.start();
  pair.client.ads.stop();
  pair.server.ads.stop();
  for (let index = 0; index < 20; index++) assert.equal((await pair.call()).status, 200);
  const before = pair.client.ads.requests.length;
  await pair.client.ads.start();
  const again = await eventually("the proxy is back", () =>
    pair.client.ads.requests.slice(before).find(({ typeUrl }) => typeUrl === TYPE_URL.listener),
  );
  assert.deepEqual(Object.keys(again.initialResourceVersions), [`127.0.0.1_${pair.port}`]);
  pair.client.ads.set(
    "route",
    ROUTES,
    routeConfig(ROUTES, [{ match: { prefix: "/" }, directResponse: { status: 299 } }]),
  );
  await eventually("changes arrive again", async () => (await pair.call()).status === 299);
});

test("interest follows what is referred to", async () => {
  await using pair = await ProxyPair.start();
  pair.client.ads.remove("listener", `127.0.0.1_${pair.port}`);
  await eventually("the routes are let go", () =>
    pair.client.ads.requests.some(
      ({ typeUrl, resourceNamesUnsubscribe }) =>
        typeUrl === TYPE_URL.route && resourceNamesUnsubscribe.includes(ROUTES),
    ),
  );
  await eventually(
    "the port is closed",
    async () =>
      await pair.call().then(
        () => false,
        () => true,
      ),
  );
  pair.client.ads.remove("cluster", CLUSTER);
  await eventually("the endpoints are let go", () =>
    pair.client.ads.requests.some(
      ({ typeUrl, resourceNamesUnsubscribe }) =>
        typeUrl === TYPE_URL.endpoints && resourceNamesUnsubscribe.includes(CLUSTER),
    ),
  );
});

test("bytes that are no message are refused, and the stream goes on", async () => {
  await using pair = await ProxyPair.start();
  pair.client.ads.set("secret", "default", {
    name: "default",
    tlsCertificate: { certificateChain: { inlineString: "x" }, privateKey: { inlineString: "y" } },
  });
  await eventually("a NACK", () => pair.client.ads.nacks.length > 0);
  assert.ok(!pair.client.ads.nacks.join().includes("PRIVATE KEY"));
  assert.equal((await pair.call()).status, 200);
});

test("draining answers with close, and shutdown lets the running request end", async () => {
  const { promise: release, resolve } = Promise.withResolvers<void>();
  await using app = await TestApp.start((request, response) => {
    if (request.url === "/slow") void release.then(() => response.end("done"));
    else response.end("fast");
  });
  await using proxy = await TestProxy.start({ drainMs: 5000 });
  const port = await freePort();
  proxy.ads.set("cluster", "app", staticCluster("app", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("app")]));
  await proxy.ready();
  assert.equal((await proxy.admin("/drain_listeners")).status, 405);
  const agent = new Agent({ keepAlive: true });
  const slow = call(port, "/slow", { agent });
  await eventually("it runs", () => app.seen.length === 1);
  assert.equal((await proxy.admin("/drain_listeners?graceful", "POST")).body, "OK\n");
  assert.equal((await call(port, "/", { agent })).headers.connection, "close");
  const stopping = proxy.stop();
  await eventually(
    "no new connections",
    async () =>
      await call(port).then(
        () => false,
        () => true,
      ),
  );
  resolve();
  assert.equal((await slow).body, "done");
  await stopping;
  agent.destroy();
});

test("shutdown does not wait longer than the drain time", async () => {
  await using app = await TestApp.start(() => {});
  await using proxy = await TestProxy.start({ drainMs: 100 });
  const port = await freePort();
  proxy.ads.set("cluster", "app", staticCluster("app", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("app")]));
  await proxy.ready();
  const hanging = call(port);
  hanging.catch(() => {});
  await eventually("it runs", () => app.seen.length === 1);
  const started = performance.now();
  await proxy.stop();
  assert.ok(performance.now() - started < 3000);
  await assert.rejects(hanging);
});

test("the admin interface has Envoy's paths and shows no private key", async () => {
  await using pair = await ProxyPair.start();
  await pair.call();
  const dump = JSON.parse((await pair.client.admin("/config_dump")).body) as {
    configs: { "@type": string }[];
  };
  assert.deepEqual(
    dump.configs.map((config) => config["@type"].split(".").at(-1)),
    [
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "ListenersConfigDump",
      "RoutesConfigDump",
      "EndpointsConfigDump",
      "SecretsConfigDump",
    ],
  );
  assert.ok(!JSON.stringify(dump).includes("PRIVATE KEY"));
  assert.match(
    (await pair.client.admin("/clusters")).body,
    new RegExp(`${CLUSTER.replaceAll("|", "\\|")}::127.0.0.1:${pair.inboundPort}::rq_total::1`),
  );
  const clusters = JSON.parse((await pair.client.admin("/clusters?format=json")).body) as {
    cluster_statuses: { name: string }[];
  };
  assert.equal(clusters.cluster_statuses[0]?.name, CLUSTER);
  const info = JSON.parse((await pair.client.admin("/server_info")).body) as { state: string };
  assert.equal(info.state, "LIVE");
  assert.equal((await pair.client.admin("/nothing")).status, 404);
  assert.equal((await pair.client.admin("/logging?level=loud", "POST")).status, 400);
});

test("the admin port answers to loopback names alone", async () => {
  const adminPort = await freePort();
  await using proxy = await TestProxy.start({ adminPort });
  await eventually(
    "both are open",
    async () =>
      await proxy.admin("/help").then(
        () => true,
        () => false,
      ),
  );
  assert.equal((await call(adminPort, "/help", { headers: { host: `localhost:${adminPort}` } })).status, 200);
  assert.equal((await call(adminPort, "/help", { headers: { host: "evil.example" } })).status, 403);
});

test("an access log without a format is in Envoy's", async () => {
  await using app = await TestApp.start((_request, response) => response.end("abc"));
  await using proxy = await TestProxy.start();
  const port = await freePort();
  const accessLog = [stdoutLog()];
  const manager = { accessLog, routeConfig: routeConfig("r", [routeTo("app", { name: "default" })]) };
  proxy.ads.set("cluster", "app", staticCluster("app", [app.port]));
  proxy.ads.set("listener", "l", {
    name: "l",
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [{ filters: [httpManager(manager)] }],
  });
  await proxy.ready();
  await call(port, "/p?q=1", { headers: { "user-agent": 'a" 500 "b', "x-request-id": "id-1" } });
  const line = await eventually("a line", () => proxy.logLines[0]);
  assert.match(
    line,
    new RegExp(
      `^\\[[^\\]]+Z\\] "GET /p\\?q=1 HTTP/1.1" 200 - 0 3 \\d+ \\d+ "-" "a" 500 "b" "id-1" "server" "127.0.0.1:${app.port}"\\n$`,
    ),
  );
});

test("the admin interface has Envoy's pages for numbers, certificates and logs", async () => {
  await using pair = await ProxyPair.start();
  await pair.call();
  const page = async (path: string, method = "GET"): Promise<string> => {
    const { status, body } = await pair.server.admin(path, method);
    assert.equal(status, 200, path);
    return body;
  };
  assert.match(await page("/stats?filter=istio_requests_total"), /^istio_requests_total\{.*\}: 1\n$/);
  assert.match(await page("/stats?format=prometheus"), /^# HELP istio_requests_total/);
  const { certificates } = JSON.parse(await page("/certs")) as {
    certificates: { cert_chain: { subject_alt_names: { uri?: string }[] }[]; ca_cert: object[] }[];
  };
  const chain = certificates.find(({ cert_chain }) => cert_chain.length > 0);
  assert.equal(chain?.cert_chain[0]?.subject_alt_names[0]?.uri, SERVER_ID);
  assert.ok(certificates.some(({ ca_cert }) => ca_cert.length === 1));
  assert.match(await page("/listeners?format=json"), /"port_value"/);
  assert.match(await page("/memory"), /"allocated"/);
  assert.equal(await page("/reopen_logs", "POST"), "OK\n");
});

for (const concurrency of [1, 2]) {
  test(`${concurrency} worker(s) take a thousand clusters and routes while calls go on, and what overtakes them`, async () => {
    await using app = await TestApp.start();
    await using proxy = await TestProxy.start({ concurrency });
    const port = await freePort();
    proxy.ads.set("cluster", "c0", staticCluster("c0", [app.port]));
    proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("c0")]));
    proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
    await proxy.ready();
    const statuses: number[] = [];
    const stop = new AbortController();
    const load = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) statuses.push((await call(port)).status);
    });
    const names = Array.from({ length: 1000 }, (_, index) => `c${index + 1}`);
    const routesTo = (last: string): Parameters<typeof routeConfig>[1] => [
      ...names.map((name) => routeTo(name, { match: { prefix: `/${name}/` } })),
      { match: { prefix: "/version" }, directResponse: { status: 200, body: { inlineString: last } } },
      routeTo("c0"),
    ];
    const versions = ["first", "second"].map((last) =>
      proxy.ads.prepare("route", [[ROUTES, routeConfig(ROUTES, routesTo(last))]]),
    );
    const acknowledged = proxy.ads.acks("route");
    proxy.ads.setAll(
      "cluster",
      names.map((name) => [name, staticCluster(name, [app.port])]),
    );
    for (const push of versions) push();
    await eventually("both are taken", () => proxy.ads.acks("route") === acknowledged + 2, 30_000);
    stop.abort();
    await Promise.all(load);
    assert.deepEqual(proxy.ads.nacks, []);
    assert.deepEqual([...new Set(statuses)], [200]);
    for (let round = 0; round < 4; round++) {
      assert.equal((await call(port, "/version")).body, "second");
      assert.equal((await call(port, "/c1000/")).status, 200);
    }
  });
}
