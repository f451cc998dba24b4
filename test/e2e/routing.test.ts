import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import type { CallOptions } from "../harness/mesh-calls.ts";
import { destinationRule, versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

const V1 = { destination: { host: "reviews", subset: "v1" } };
const V2 = { destination: { host: "reviews", subset: "v2" } };
const TO_V1 = { route: [V1] };

describeMesh("HTTP routing", { hosts: HOSTS }, (mesh) => {
  const call = (path: string, options?: CallOptions): ReturnType<Mesh["call"]> =>
    mesh().call("caller", "reviews", path, options);
  /** Applies routes, with subsets for both versions, and waits until the caller's proxy has them. */
  const route = async (...http: readonly unknown[]): Promise<void> => {
    const marker = { match: [{ uri: { exact: "/-marker" } }], directResponse: { status: 299 } };
    await mesh().apply(
      versions("reviews", "v1", "v2") + virtualService("reviews", { http: [marker, ...http] }),
    );
    await eventually("the new routes", async () => (await call("/-marker")).status === 299);
  };

  test("a match on path, headers, query or method chooses the route", async () => {
    const to = (name: string, match: unknown): unknown => ({
      match: [match],
      route: [{ ...V2, headers: { request: { set: { "x-route": name } } } }],
    });
    await route(
      to("exact", { uri: { exact: "/exact" } }),
      to("prefix", { uri: { prefix: "/pre/" } }),
      to("regex", { uri: { regex: "/items/[0-9]+" } }),
      to("ignore-case", { uri: { exact: "/Case" }, ignoreUriCase: true }),
      to("header", { headers: { "end-user": { exact: "jason" } } }),
      to("header-regex", { headers: { "x-build": { regex: "v[0-9]+" } } }),
      to("without", { uri: { prefix: "/quiet" }, withoutHeaders: { "x-loud": {} } }),
      to("query", { queryParams: { beta: { exact: "1" } } }),
      to("method", { method: { exact: "DELETE" } }),
      to("source", { sourceLabels: { app: "somebody-else" } }),
      { route: [V1] },
    );
    const cases: readonly (readonly [string, CallOptions, string | undefined])[] = [
      ["/exact", {}, "exact"],
      ["/exact/", {}, undefined],
      ["/exact?and=query", {}, "exact"],
      ["/pre/fix", {}, "prefix"],
      ["/prefix", {}, undefined],
      ["/items/42", {}, "regex"],
      ["/items/42x", {}, undefined],
      ["/items/", {}, undefined],
      ["/cASE", {}, "ignore-case"],
      ["/", { headers: { "end-user": "jason" } }, "header"],
      ["/", { headers: { "End-User": "jason" } }, "header"],
      ["/", { headers: { "end-user": "jasons" } }, undefined],
      ["/", { headers: { "x-build": "v12" } }, "header-regex"],
      ["/", { headers: { "x-build": "dev12" } }, undefined],
      ["/quiet", {}, "without"],
      ["/quiet", { headers: { "x-loud": "1" } }, undefined],
      ["/?a=b&beta=1", {}, "query"],
      ["/?beta=10", {}, undefined],
      ["/", { method: "DELETE" }, "method"],
      ["/", { method: "POST" }, undefined],
    ];
    for (const [path, options, want] of cases) {
      const { echo, status } = await call(path, options);
      const what = `${path} ${JSON.stringify(options)} (${status})`;
      assert.equal(echo?.headers["x-route"], want, what);
      assert.equal(echo?.app, want === undefined ? "reviews-v1" : "reviews-v2", what);
    }
  });

  test("weights split the traffic", async () => {
    await route({
      route: [
        { ...V1, weight: 75 },
        { ...V2, weight: 25 },
      ],
    });
    const total = 400;
    const { "reviews-v1": v1 = 0, "reviews-v2": v2 = 0 } = await mesh().tally(total, "caller", "reviews");
    assert.equal(v1 + v2, total);
    // Five standard deviations of a binomial.
    const tolerance = 5 * Math.sqrt(total * 0.75 * 0.25);
    assert.ok(Math.abs(v1 - total * 0.75) <= tolerance, `v1 got ${v1} of ${total}`);
  });

  test("a request is rewritten, redirected or answered on the way", async () => {
    await route(
      {
        match: [{ uri: { prefix: "/old" } }],
        rewrite: { uri: "/new", authority: "shop.example" },
        ...TO_V1,
      },
      {
        match: [{ uri: { exact: "/moved" } }],
        redirect: { uri: "/here", authority: "www.example", redirectCode: 308 },
      },
      {
        match: [{ uri: { prefix: "/tea" } }],
        directResponse: { status: 418, body: { string: "no coffee" } },
      },
      { match: [{ uri: { prefix: "/only" } }], ...TO_V1 },
    );
    const rewritten = await call("/old/thing?q=1");
    assert.equal(rewritten.echo?.path, "/new/thing?q=1");
    assert.equal(rewritten.echo.headers["host"], "shop.example");
    const moved = await call("/moved?q=1");
    assert.equal(moved.status, 308);
    assert.equal(moved.headers["location"], "http://www.example/here?q=1");
    const answered = await call("/teapot");
    assert.deepEqual([answered.status, answered.body], [418, "no coffee"]);
    assert.equal((await call("/elsewhere")).status, 404);
  });

  test("header operations reach the application and the caller", async () => {
    await route({
      headers: {
        request: { set: { "x-set": "mesh" }, add: { "x-add": "two" }, remove: ["x-remove"] },
        response: { set: { "x-answer": "mesh" }, remove: ["x-echo-extra"] },
      },
      route: [{ ...V1, headers: { response: { add: { "x-version": "v1" } } } }],
    });
    const { echo, headers } = await call("/", {
      headers: { "x-set": "app", "x-add": "one", "x-remove": "here", "x-keep": "kept" },
    });
    assert.equal(echo?.headers["x-set"], "mesh");
    assert.match(String(echo?.headers["x-add"]), /^one,\s?two$/);
    assert.equal(echo?.headers["x-remove"], undefined);
    assert.equal(echo?.headers["x-keep"], "kept");
    assert.equal(headers["x-answer"], "mesh");
    assert.equal(headers["x-version"], "v1");
  });

  test("a slow application is given up with 504 after the route's timeout", async () => {
    await route({ timeout: "0.3s", ...TO_V1 });
    const slow = await call("/?delayMs=2000");
    assert.equal(slow.status, 504);
    assert.ok(slow.elapsedMs >= 290 && slow.elapsedMs < 1500, `after ${slow.elapsedMs} ms`);
    assert.equal((await call("/?delayMs=20")).status, 200);
  });

  test("a failing application is tried again as often as the route says", async () => {
    const retries = (attempts: number): unknown => ({
      match: [{ uri: { prefix: `/${attempts}` } }],
      retries: attempts === 0 ? { attempts } : { attempts, retryOn: "5xx", perTryTimeout: "2s" },
      route: [{ destination: { host: "reviews" } }],
    });
    await route(retries(0), retries(1), retries(3));
    const status = async (attempts: number, failFirst: number): Promise<number> =>
      (await call(`/${attempts}?key=k${attempts}-${failFirst}&failFirst=${failFirst}`)).status;
    assert.equal(await status(0, 1), 503);
    assert.equal(await status(1, 1), 200);
    assert.equal(await status(1, 2), 503);
    assert.equal(await status(3, 3), 200);
  });

  test("faults abort and delay the requests that they are for", async () => {
    const jason = { headers: { "end-user": { exact: "jason" } } };
    await route(
      { match: [jason], fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, ...TO_V1 },
      {
        match: [{ uri: { prefix: "/late" } }],
        fault: { delay: { fixedDelay: "0.4s", percentage: { value: 100 } } },
        ...TO_V1,
      },
      {
        match: [{ uri: { prefix: "/half" } }],
        fault: { abort: { httpStatus: 555, percentage: { value: 50 } } },
        ...TO_V1,
      },
      TO_V1,
    );
    const taken = mesh().host("reviews-v1").app.taken();
    assert.equal((await call("/", { headers: { "end-user": "jason" } })).status, 418);
    assert.equal(mesh().host("reviews-v1").app.taken(), taken);
    const late = await call("/late");
    assert.equal(late.status, 200);
    assert.ok(late.elapsedMs >= 395 && late.elapsedMs < 1500, `after ${late.elapsedMs} ms`);
    const prompt = await call("/");
    assert.equal(prompt.status, 200);
    assert.ok(prompt.elapsedMs < 390, `after ${prompt.elapsedMs} ms`);
    const half = await mesh().tally(200, "caller", "reviews", "/half");
    const passed = half["reviews-v1"] ?? 0;
    assert.ok(passed > 60 && passed < 140, `${passed} of 200 passed`);
  });

  test("a subset without endpoints is answered with 503", async () => {
    await mesh().apply(versions("reviews", "v1", "v9"));
    await mesh().apply(
      virtualService("reviews", { http: [{ route: [{ destination: { host: "reviews", subset: "v9" } }] }] }),
    );
    await eventually("503", async () => (await call("/")).status === 503);
    assert.equal((await call("/")).echo, undefined);
  });

  test("without its VirtualService a service is called at all its endpoints again", async () => {
    await route(TO_V1);
    assert.deepEqual(await mesh().tally(20, "caller", "reviews"), { "reviews-v1": 20 });
    await mesh().delete("VirtualService", "reviews");
    await eventually("both versions", async () => {
      const seen = await mesh().tally(20, "caller", "reviews");
      return (seen["reviews-v1"] ?? 0) > 0 && (seen["reviews-v2"] ?? 0) > 0;
    });
  });

  test("an endpoint that is unhealthy or deregistered is not called, until it is back", async () => {
    const { catalog } = mesh();
    const gone = mesh().host("reviews-v2").spec;
    const only = (seen: Readonly<Record<string, number>>): string => Object.keys(seen).sort().join();
    const both = async (): Promise<boolean> =>
      only(await mesh().tally(12, "caller", "reviews")) === "reviews-v1,reviews-v2";
    await eventually("both", both);
    for (const leave of [() => catalog.register(gone, false), () => catalog.deregister(gone)]) {
      await leave();
      await eventually(
        "v2 left the endpoints",
        async () => !(await mesh().host("caller").askProxy("/clusters")).includes(gone.address),
      );
      // `/clusters` is the view of Envoy's main thread; its workers take the change over a moment later.
      const onlyV1 = async (): Promise<boolean> =>
        (await mesh().tally(20, "caller", "reviews"))["reviews-v1"] === 20;
      await eventually("only v1 is called", onlyV1, 1_000);
      await catalog.register(gone);
      await eventually("both again", both);
    }
  });

  test("statPrefix: Envoy counts the calls of a route under it, the built-in proxy has no such counts", async () => {
    await route(
      { match: [{ uri: { prefix: "/counted" }, statPrefix: "counted" }], route: [V1] },
      { route: [V1] },
    );
    for (const path of ["/counted/1", "/counted/2", "/other"]) assert.equal((await call(path)).status, 200);
    if (mesh().dataPlane !== "envoy") return;
    await eventually("both calls counted", async () => {
      const stats = await mesh().host("caller").askProxy("/stats?filter=route.counted.upstream_rq_completed");
      return /route\.counted\.upstream_rq_completed: 2$/m.test(stats);
    });
  });

  test("an endpoint that keeps failing is left alone for a while", async () => {
    const outlierDetection = {
      consecutive5xxErrors: 3,
      interval: "0.1s",
      baseEjectionTime: "30s",
      maxEjectionPercent: 100,
    };
    await mesh().apply(destinationRule("reviews", { trafficPolicy: { outlierDetection } }));
    const noRetries = { retries: { attempts: 0 }, route: [{ destination: { host: "reviews" } }] };
    await mesh().apply(virtualService("reviews", { http: [noRetries] }));
    await eventually("an ejection", async () => {
      await mesh().tally(10, "caller", "reviews", "/?status=500");
      const { status, echo } = await call("/");
      return status === 503 && echo === undefined;
    });
  });
});
