import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { authorizationPolicy, versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const CALLERS = { upstreams: ["store.default.svc.cluster.local:9090"] } as const;
const STORE = CALLERS.upstreams[0];
const HOSTS = [
  { name: "caller", service: "caller", ...CALLERS },
  { name: "stranger", service: "stranger", namespace: "other", ...CALLERS },
  { name: "store-v1", service: "store", version: "v1", protocol: "tcp" },
  { name: "store-v2", service: "store", version: "v2", protocol: "tcp" },
] as const;

describeMesh("TCP", { hosts: HOSTS }, (mesh) => {
  const tally = async (count: number): Promise<Readonly<Record<string, number>>> => {
    const seen: Record<string, number> = {};
    for (let left = count; left > 0; left--) {
      const { app = "none" } = await mesh().tcpCall("caller", STORE);
      seen[app] = (seen[app] ?? 0) + 1;
    }
    return seen;
  };

  test("bytes go through both proxies and come back as they were", async () => {
    const text = "all the bytes, and ümlauts \u0000 too\n".repeat(5_000);
    const reply = await mesh().tcpCall("caller", STORE, text);
    assert.equal(reply.failure, "");
    assert.equal(reply.echoed.length, text.length);
    assert.equal(reply.echoed, text);
  });

  test("a VirtualService splits connections by weight, and goes", async () => {
    const to = (subset: string, weight: number): unknown => ({
      destination: { host: "store", subset },
      weight,
    });
    await mesh().apply(
      versions("store", "v1", "v2") +
        virtualService("store", { tcp: [{ route: [to("v1", 0), to("v2", 100)] }] }),
    );
    await eventually("all on v2", async () => (await tally(8))["store-v2"] === 8);
    await mesh().apply(virtualService("store", { tcp: [{ route: [to("v1", 70), to("v2", 30)] }] }));
    await eventually("v1 again", async () => (await tally(4))["store-v1"] !== undefined);
    const { "store-v1": v1 = 0, "store-v2": v2 = 0 } = await tally(200);
    assert.equal(v1 + v2, 200);
    // Five standard deviations of a binomial.
    assert.ok(Math.abs(v1 - 140) <= 33, `v1 got ${v1} of 200`);
    await mesh().delete("VirtualService", "store");
    await eventually("both, evenly", async () => {
      const { "store-v1": left = 0, "store-v2": right = 0 } = await tally(20);
      return left > 2 && right > 2;
    });
  });

  test("an endpoint that leaves is not dialled any more", async () => {
    const { spec } = mesh().host("store-v2");
    await mesh().catalog.deregister(spec);
    await eventually(
      "v2 left the endpoints",
      async () => !(await mesh().host("caller").askProxy("/clusters")).includes(spec.address),
    );
    // `/clusters` is the view of Envoy's main thread; its workers take the change over a moment later.
    await eventually("only v1 is dialled", async () => (await tally(10))["store-v1"] === 10, 1_000);
    await mesh().catalog.register(spec);
    await eventually("v2 again", async () => (await tally(10))["store-v2"] !== undefined);
  });

  test("an authorization policy lets in whom it names", async () => {
    assert.notEqual((await mesh().tcpCall("stranger", STORE)).app, undefined);
    await mesh().apply(
      authorizationPolicy("store", "store", {
        action: "ALLOW",
        rules: [{ from: [{ source: { principals: ["e2e.local/ns/default/sa/caller"] } }] }],
      }),
    );
    await eventually("the stranger refused", async () => {
      const replies = [await mesh().tcpCall("stranger", STORE), await mesh().tcpCall("stranger", STORE)];
      return replies.every(({ app, echoed }) => app === undefined && echoed === "");
    });
    assert.notEqual((await mesh().tcpCall("caller", STORE)).app, undefined);

    await mesh().apply(
      authorizationPolicy("no-caller", "store", {
        action: "DENY",
        rules: [{ from: [{ source: { namespaces: ["default"] } }] }],
      }),
    );
    await eventually("deny wins", async () => (await mesh().tcpCall("caller", STORE)).app === undefined);
    await mesh().deleteAll();
    await eventually("all again", async () => (await mesh().tcpCall("stranger", STORE)).app !== undefined);
  });
});
