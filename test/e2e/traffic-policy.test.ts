import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import type { CallOptions } from "../harness/mesh-calls.ts";
import { destinationRule, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
  { name: "ratings", service: "ratings" },
] as const;

const TO_REVIEWS = { route: [{ destination: { host: "reviews" } }] };

describeMesh("traffic policy", { hosts: HOSTS }, (mesh) => {
  const call = (path: string, options?: CallOptions): ReturnType<Mesh["call"]> =>
    mesh().call("caller", "reviews", path, options);
  /** Applies a DestinationRule for reviews, and routes, and waits until the caller's proxy has them. */
  const apply = async (trafficPolicy?: object, route: object = {}): Promise<void> => {
    const marker = { match: [{ uri: { exact: "/-marker" } }], directResponse: { status: 299 } };
    const http = [marker, { ...TO_REVIEWS, ...route }];
    const rule = trafficPolicy === undefined ? "" : destinationRule("reviews", { trafficPolicy });
    await mesh().apply(rule + virtualService("reviews", { http }));
    await eventually("the new routes", async () => (await call("/-marker")).status === 299);
  };
  const who = async (user: string): Promise<string> =>
    (await call("/", { headers: { "x-user": user } })).echo?.app ?? "nobody";
  const users = Array.from({ length: 30 }, (_, user) => `user-${user}`);

  for (const [name, algorithm] of Object.entries({
    "ring hash": {},
    maglev: { maglev: { tableSize: 1021 } },
  })) {
    test(`a user stays with a host by the hash of a header (${name})`, async () => {
      await apply({ loadBalancer: { consistentHash: { httpHeaderName: "x-user", ...algorithm } } });
      await eventually("users stay where they are, on both hosts", async () => {
        const first = await Promise.all(users.map(who));
        const second = await Promise.all(users.map(who));
        return first.join() === second.join() && new Set(first).size === 2;
      });
    });
  }

  test("a user without the cookie gets one and stays with its host", async () => {
    await apply({ loadBalancer: { consistentHash: { httpCookie: { name: "stay", ttl: "60s" } } } });
    const first = await eventually("a cookie", async () => {
      const reply = await call("/");
      return reply.headers["set-cookie"] === undefined ? undefined : reply;
    });
    const [cookie = ""] = String(first.headers["set-cookie"]).split(";");
    for (let round = 0; round < 8; round++) {
      assert.equal((await call("/", { headers: { cookie } })).echo?.app, first.echo?.app);
    }
  });

  test("a copy of each call goes to the mirror, and its answer to nobody", async () => {
    await apply(undefined, { mirror: { host: "ratings" }, mirrorPercentage: { value: 100 } });
    const taken = mesh().host("ratings").app.taken();
    assert.match((await call("/mirrored")).echo?.app ?? "", /^reviews/);
    await eventually("the mirror is called", () =>
      Promise.resolve(mesh().host("ratings").app.taken() === taken + 1),
    );
  });

  test("preflights of allowed origins are answered without the application", async () => {
    const corsPolicy = {
      allowOrigins: [{ exact: "https://shop.example" }],
      allowMethods: ["PUT"],
      maxAge: "60s",
    };
    await apply(undefined, { corsPolicy });
    const taken = (): number => mesh().host("reviews-v1").app.taken() + mesh().host("reviews-v2").app.taken();
    const before = taken();
    const headers = { origin: "https://shop.example", "access-control-request-method": "PUT" };
    const allowed = await call("/", { method: "OPTIONS", headers });
    assert.deepEqual(
      [
        allowed.status,
        allowed.headers["access-control-allow-methods"],
        allowed.headers["access-control-max-age"],
      ],
      [200, "PUT", "60"],
    );
    assert.equal(taken(), before);
    const answer = await call("/", { headers: { origin: "https://shop.example" } });
    assert.equal(answer.headers["access-control-allow-origin"], "https://shop.example");
    const other = await call("/", { headers: { origin: "https://other.example" } });
    assert.equal(other.headers["access-control-allow-origin"], undefined);
    assert.match(other.echo?.app ?? "", /^reviews/);
  });

  test("a circuit breaker lets through what there is a connection for, and what may wait for one", async () => {
    const pool = { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } };
    await apply({ connectionPool: pool }, { retries: { attempts: 0 } });
    const replies = await Promise.all(Array.from({ length: 10 }, async () => await call("/?delayMs=1500")));
    const passed = replies.filter(({ status }) => status === 200).length;
    const refused = replies.filter(({ status }) => status === 503).length;
    assert.equal(passed + refused, 10);
    // One and one that waits; each of Envoy's two workers may have a connection of its own, whatever the limit.
    assert.ok(passed >= 1 && passed <= 4, `${passed} passed`);
    assert.equal((await call("/")).status, 200);
  });
});
