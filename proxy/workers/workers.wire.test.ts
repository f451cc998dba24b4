import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { LOOPS, THROWS } from "../../test/fakes/planted-faults.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { CLIENT_ID, call, ProxyPair, TestApp } from "../../test/harness/proxy-pair.ts";
import { mintRoot } from "../../test/harness/test-certificates.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import { ask, counted, faulty, hold, MANY, REQUESTS, twoWorkers } from "../../test/harness/two-workers.ts";
import {
  faultFilter,
  onDemandFilter,
  outboundHttp,
  rootsSecret,
  routeConfig,
  router,
  routeTo,
  staticCluster,
} from "../../test/harness/xds-samples.ts";

test("a worker that throws is replaced and loses only its own connections; what is counted is counted for all", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const clients = await hold(port, MANY);
  assert.equal(await counted(proxy, REQUESTS), MANY);
  assert.equal(await counted(proxy, /^envoy_listener_downstream_cx_active\{/), MANY);
  assert.equal(await counted(proxy, /^envoy_server_concurrency /), 2);
  assert.match((await proxy.admin("/clusters")).body, new RegExp(`::rq_total::${MANY}\n`));

  await faulty(port, THROWS);
  await eventually("connections are lost", () => clients.some(({ lost }) => lost));
  const replaced = /^lateen_proxy_workers_replaced_total\{reason="ended"\}/;
  await eventually("the worker is counted", async () => (await counted(proxy, replaced)) === 1);
  const left = clients.filter(({ lost }) => !lost);
  assert.ok(left.length > 0 && left.length < MANY, `${left.length} of ${MANY} are left: one worker had all`);
  assert.match(await proxy.log(), /a worker has ended and is replaced.*planted|planted.*a worker has ended/);
  await Promise.all(left.map(ask));
  assert.ok(!left.some(({ lost }) => lost));

  await eventually("the other one listens again", async () => (await proxy.admin("/ready")).status === 200);
  const again = await hold(port, MANY);
  assert.equal(await counted(proxy, REQUESTS), MANY + left.length + MANY, "a counter went back");
  for (const { socket } of [...clients, ...again]) socket.destroy();
});

test("a worker that loops is noticed and replaced", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const clients = await hold(port, MANY);
  await faulty(port, LOOPS);
  const replaced = /^lateen_proxy_workers_replaced_total\{reason="hung"\}/;
  await eventually(
    "connections of the one that loops are lost",
    () => clients.some(({ lost }) => lost),
    60_000,
  );
  await eventually("it is counted", async () => (await counted(proxy, replaced)) === 1);
  const left = clients.filter(({ lost }) => !lost);
  assert.ok(left.length > 0, "the other one has lost its connections, too");
  await Promise.all(left.map(ask));
  for (const { socket } of [...clients, ...(await hold(port, MANY))]) socket.destroy();
});

test("a new trust bundle holds in every worker", async () => {
  await using pair = await ProxyPair.start({ concurrency: 2 });
  const status = async (): Promise<number> => (await pair.call()).status;
  assert.equal(await status(), 200);
  pair.server.ads.set("secret", "ROOTCA", rootsSecret(mintRoot().pem));
  // With another certificate the client's proxy leaves the connection that it has.
  pair.identify(pair.client, CLIENT_ID);
  await eventually("each of many connections is refused", async () => {
    for (let round = 0; round < MANY; round++) if ((await status()) !== 503) return false;
    return true;
  });
  pair.server.ads.set("secret", "ROOTCA", rootsSecret(pair.root.pem));
  await eventually("it is believed again", async () => (await status()) === 200);
});

test("what one worker has asked for is there for the others", async () => {
  await using app = await TestApp.start((_request, response) => response.end("found"));
  await using proxy = await TestProxy.start({ concurrency: 2 });
  const port = await freePort();
  const filters = { httpFilters: [onDemandFilter, faultFilter, router] };
  const vhds = { configSource: { ads: {}, resourceApiVersion: "V3" } };
  const virtualHost = { name: "80/reviews:80", domains: ["reviews:80"], routes: [routeTo("c")] };
  proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, "80", filters));
  proxy.ads.set("route", "80", { name: "80", vhds });
  proxy.ads.set("virtualHost", "80/reviews:80", virtualHost);
  await proxy.ready();
  for (let round = 0; round < MANY; round++) {
    const { status } = await call(port, "/", { headers: { host: "reviews:80" }, agent: new Agent() });
    assert.equal(status, 200);
  }
});

test("what one worker refuses is refused, and the former stays in force for all", async () => {
  await using app = await TestApp.start((_request, response) => response.end("here"));
  await using proxy = await TestProxy.start({ concurrency: 2 });
  const port = await freePort();
  const listener = outboundHttp(port, "80");
  proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
  proxy.ads.set("listener", "web", listener);
  proxy.ads.set("route", "80", routeConfig("80", [routeTo("c")]));
  await proxy.ready();
  proxy.ads.set("listener", "web", outboundHttp(app.port, "80"));
  await eventually("the port is refused", () => proxy.ads.nacks.some((why) => why.includes("is in use by")));
  assert.equal(proxy.ads.nacks.length, 1);
  for (let round = 0; round < 8; round++) assert.equal((await call(port)).body, "here");
});
