import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { call, ROUTES, TestApp } from "../../test/harness/proxy-pair.ts";
import { freePort, TestProxy, type TestProxyOptions } from "../../test/harness/test-proxy.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "../../test/harness/xds-samples.ts";

type Routes = Parameters<typeof routeConfig>[1];
type ClusterFields = Parameters<typeof staticCluster>[2];

/** One outbound proxy before plain applications. */
class Front implements AsyncDisposable {
  readonly proxy: TestProxy;
  readonly port: number;

  private constructor(proxy: TestProxy, port: number) {
    this.proxy = proxy;
    this.port = port;
  }

  static async start(
    clusters: Readonly<Record<string, readonly number[]>>,
    routes: Routes,
    options: TestProxyOptions & {
      readonly cluster?: ClusterFields;
      readonly manager?: Parameters<typeof outboundHttp>[2];
    } = {},
  ): Promise<Front> {
    const proxy = await TestProxy.start(options);
    const port = await freePort();
    for (const [name, ports] of Object.entries(clusters)) {
      proxy.ads.set("cluster", name, staticCluster(name, ports, options.cluster));
    }
    proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES, options.manager));
    proxy.ads.set("route", ROUTES, routeConfig(ROUTES, routes));
    await proxy.ready();
    return new Front(proxy, port);
  }

  async call(path = "/", options: Parameters<typeof call>[2] = {}): ReturnType<typeof call> {
    return await call(this.port, path, options);
  }

  async flags(): Promise<string[]> {
    const metrics = (await this.proxy.admin("/stats/prometheus")).body;
    return [...metrics.matchAll(/^istio_requests_total.*response_flags="([^"]*)"/gm)].map(
      ([, flags]) => flags ?? "",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}

const named = (name: string): Promise<TestApp> => TestApp.start((_request, response) => response.end(name));

test("1,000 requests are split 80 to 20 within statistical bounds", async () => {
  await using v1 = await named("v1");
  await using v2 = await named("v2");
  const clusters = [
    { name: "v1", weight: 80 },
    { name: "v2", weight: 20 },
  ];
  const routes = [{ match: { prefix: "/" }, route: { weightedClusters: { clusters } } }];
  await using front = await Front.start({ v1: [v1.port], v2: [v2.port] }, routes);
  let second = 0;
  for (let batch = 0; batch < 50; batch++) {
    const replies = await Promise.all(Array.from({ length: 20 }, async () => await front.call()));
    second += replies.filter(({ body }) => body === "v2").length;
  }
  // Four standard deviations of a binomial distribution (n = 1000, p = 0.2) are 51.
  assert.ok(Math.abs(second - 200) < 51, `${second} of 1000 went to v2`);
});

test("a header sends a request to another version", async () => {
  await using v1 = await named("v1");
  await using v2 = await named("v2");
  const jason = { name: "end-user", stringMatch: { exact: "jason" } };
  const routes = [{ match: { prefix: "/", headers: [jason] }, route: { cluster: "v2" } }, routeTo("v1")];
  await using front = await Front.start({ v1: [v1.port], v2: [v2.port] }, routes);
  assert.equal((await front.call("/", { headers: { "end-user": "jason" } })).body, "v2");
  assert.equal((await front.call("/", { headers: { "end-user": "Jason" } })).body, "v1");
  assert.equal((await front.call()).body, "v1");
});

test("rewrites, header edits, redirects and direct responses are applied", async () => {
  await using app = await TestApp.start((request, response) => {
    response.setHeader("x-remove", "1");
    response.end(`${request.url} ${request.headers.host} ${String(request.headers["x-added"])}`);
  });
  const edits = {
    requestHeadersToAdd: [
      { header: { key: "x-added", value: "100%%" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ],
    responseHeadersToRemove: ["x-remove"],
  };
  const routes = [
    { match: { path: "/old" }, redirect: { pathRedirect: "/new", responseCode: "FOUND" } },
    { match: { path: "/here" }, directResponse: { status: 418, body: { inlineString: "teapot" } } },
    {
      match: { prefix: "/v1/" },
      route: { cluster: "app", prefixRewrite: "/", hostRewriteLiteral: "backend" },
      ...edits,
    },
  ];
  await using front = await Front.start({ app: [app.port] }, routes);
  const rewritten = await front.call("/v1/x?y=1", { headers: { "x-added": "mine" } });
  assert.equal(rewritten.body, "/x?y=1 backend 100%");
  assert.equal(rewritten.headers["x-remove"], undefined);
  const redirected = await front.call("/old?q=1");
  assert.deepEqual([redirected.status, redirected.headers.location], [302, "http://server/new?q=1"]);
  const direct = await front.call("/here");
  assert.deepEqual([direct.status, direct.body], [418, "teapot"]);
  assert.equal((await front.call("/nowhere")).status, 404);
  assert.ok((await front.flags()).includes("NR"));
});

test("faults delay and abort", async () => {
  await using app = await named("app");
  const type = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
  const fault = (fields: Routes[number]): Routes[number] => ({
    ...routeTo("app"),
    typedPerFilterConfig: { "envoy.filters.http.fault": { "@type": type, ...fields } },
  });
  const always = { numerator: 100 };
  const routes = [
    { ...fault({ delay: { fixedDelay: "0.3s", percentage: always } }), match: { path: "/slow" } },
    { ...fault({ abort: { httpStatus: 555, percentage: always } }), match: { path: "/broken" } },
    { ...fault({ abort: { httpStatus: 555, percentage: { numerator: 0 } } }), match: { path: "/never" } },
  ];
  await using front = await Front.start({ app: [app.port] }, routes);
  const started = performance.now();
  assert.equal((await front.call("/slow")).body, "app");
  assert.ok(performance.now() - started >= 290);
  const broken = await front.call("/broken");
  assert.deepEqual([broken.status, broken.body], [555, "fault filter abort"]);
  assert.equal((await front.call("/never")).status, 200);
  const flags = await front.flags();
  assert.ok(flags.includes("DI") && flags.includes("FI"), flags.join());
  assert.equal(app.seen.length, 2);
});

test("a route's timeout is a 504 with UT, and the upstream is let go", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  await using app = await TestApp.start((request) => request.on("close", resolve));
  await using front = await Front.start({ app: [app.port] }, [routeTo("app", {}, { timeout: "0.15s" })]);
  const reply = await front.call();
  assert.deepEqual([reply.status, reply.body], [504, "upstream request timeout"]);
  assert.deepEqual(await front.flags(), ["UT"]);
  await closed;
});

test("503s are retried, with the body, until one attempt succeeds", async () => {
  let calls = 0;
  const bodies: string[] = [];
  await using app = await TestApp.start((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      bodies.push(body);
      response.writeHead(++calls < 3 ? 503 : 200).end();
    });
  });
  const retryPolicy = { retryOn: "5xx", numRetries: 2 };
  await using front = await Front.start({ app: [app.port] }, [routeTo("app", {}, { retryPolicy })]);
  assert.equal((await front.call("/", { method: "POST", body: "again" })).status, 200);
  assert.deepEqual(bodies, ["again", "again", "again"]);
  calls = -10;
  assert.equal((await front.call()).status, 503);
  assert.ok((await front.flags()).includes("URX"));
});

test("a body that is too large to be kept is sent once", async () => {
  let calls = 0;
  await using app = await TestApp.start((request, response) => {
    calls++;
    request.resume().on("end", () => response.writeHead(503).end());
  });
  const retryPolicy = { retryOn: "5xx", numRetries: 5 };
  await using front = await Front.start({ app: [app.port] }, [routeTo("app", {}, { retryPolicy })]);
  assert.equal((await front.call("/", { method: "POST", body: Buffer.alloc(200_000) })).status, 503);
  assert.equal(calls, 1);
});

test("a failure to connect is retried on another endpoint, and told as UF when all fail", async () => {
  await using app = await named("alive");
  const dead = await freePort();
  const policy = {
    retryOn: "connect-failure",
    numRetries: 3,
    retryHostPredicate: [previousHosts],
    retryBackOff: { baseInterval: "0.001s" },
  };
  const routes = [
    { match: { prefix: "/dead" }, route: { cluster: "dead", timeout: "0s" } },
    routeTo("mixed", {}, { retryPolicy: policy }),
  ];
  await using front = await Front.start({ mixed: [dead, app.port], dead: [dead] }, routes);
  for (let index = 0; index < 20; index++)
    assert.equal((await front.call("/", { method: "POST", body: "x" })).status, 200);
  const reply = await front.call("/dead");
  assert.equal(reply.status, 503);
  assert.match(reply.body, /reset reason: remote connection failure/);
  assert.ok((await front.flags()).includes("UF"));
});

const previousHosts = {
  name: "envoy.retry_host_predicates.previous_hosts",
  typedConfig: {
    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  },
};

test("per-try timeouts give each attempt its time", async () => {
  let calls = 0;
  await using app = await TestApp.start((_request, response) =>
    ++calls === 1 ? undefined : response.end("second"),
  );
  const retryPolicy = { retryOn: "5xx", numRetries: 1, perTryTimeout: "0.1s" };
  await using front = await Front.start({ app: [app.port] }, [routeTo("app", {}, { retryPolicy })]);
  assert.equal((await front.call()).body, "second");
});

test("no endpoint is UH, no cluster NC, and full clusters UO", async () => {
  await using app = await TestApp.start();
  const limits = { circuitBreakers: { thresholds: [{ maxRequests: 1 }] } };
  const routes = [
    routeTo("empty", { match: { path: "/empty" } }),
    routeTo("gone", { match: { path: "/gone" } }),
    routeTo("app"),
  ];
  await using front = await Front.start({ app: [app.port], empty: [] }, routes, { cluster: limits });
  const empty = await front.call("/empty");
  assert.deepEqual([empty.status, empty.body], [503, "no healthy upstream"]);
  assert.equal((await front.call("/gone")).status, 503);
  app.server.removeAllListeners("request");
  app.server.on("request", (_request, response) => setTimeout(() => response.end(), 100));
  const replies = await Promise.all([front.call(), front.call(), front.call()]);
  assert.deepEqual(
    replies.map(({ status }) => status).sort((a, b) => a - b),
    [200, 503, 503],
  );
  const flags = await front.flags();
  for (const flag of ["UH", "NC", "UO"]) assert.ok(flags.includes(flag), `${flag} of ${flags.join()}`);
});

test("a host that keeps failing is left out for a while", async () => {
  await using good = await named("good");
  await using bad = await TestApp.start((_request, response) => response.writeHead(500).end());
  const outlierDetection = {
    consecutive5xx: 3,
    baseEjectionTime: "60s",
    maxEjectionPercent: 50,
    enforcingSuccessRate: 0,
  };
  await using front = await Front.start({ app: [good.port, bad.port] }, [routeTo("app")], {
    cluster: { outlierDetection, lbPolicy: "ROUND_ROBIN" },
  });
  for (let index = 0; index < 12; index++) await front.call();
  const replies = await Promise.all(Array.from({ length: 20 }, async () => await front.call()));
  assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
  assert.equal(bad.seen.length, 3);
});

test("kept-alive connections that the server has closed are not the caller's problem", async () => {
  await using app = await named("app");
  await using front = await Front.start({ app: [app.port] }, [routeTo("app")]);
  for (let round = 0; round < 20; round++) {
    const replies = await Promise.all([front.call(), front.call(), front.call()]);
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 200, 200],
    );
    app.server.closeIdleConnections();
  }
});

test("an upstream that breaks off in its body breaks the caller's connection, and is told as UC", async () => {
  await using app = await TestApp.start((_request, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("half");
    setTimeout(() => response.destroy(), 20);
  });
  await using front = await Front.start({ app: [app.port] }, [routeTo("app")]);
  await assert.rejects(front.call(), /aborted|ECONNRESET|hang up/);
  await eventually("the record is there", async () => (await front.flags()).includes("UC"));
});

test("an upstream that breaks off before its answer is a 503", async () => {
  await using app = await TestApp.start((request) => request.socket.destroy());
  await using front = await Front.start({ app: [app.port] }, [routeTo("app")]);
  const reply = await front.call("/", { method: "POST", body: "x" });
  assert.equal(reply.status, 503);
  assert.match(reply.body, /connection termination/);
});

test("an answer that two readers could read in two ways is a 502", async () => {
  for (const head of [
    "content-length: 3\r\ncontent-length: 3",
    "transfer-encoding: gzip, chunked",
    "content-length: 3\r\ntransfer-encoding: chunked",
  ]) {
    const raw = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n0\r\n\r\n`));
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as { port: number };
    await using front = await Front.start({ app: [port] }, [routeTo("app")]);
    assert.equal((await front.call()).status, 502, head);
    raw.close();
  }
});
