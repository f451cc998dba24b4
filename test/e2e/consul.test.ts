import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller-1", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

describeMesh("a real Consul", { hosts: HOSTS, catalog: "consul" }, (mesh) => {
  const seen = async (): Promise<string> =>
    Object.keys(await mesh().tally(12, "caller-1", "reviews"))
      .sort()
      .join();
  const all = "reviews-v1,reviews-v2";

  test("services that are registered there call each other over mTLS", async () => {
    await eventually("both versions", async () => (await seen()) === all);
    const { echo } = await mesh().call("caller-1", "reviews");
    const told = String(echo?.headers["x-forwarded-client-cert"]);
    assert.ok(told.startsWith(`By=${mesh().spiffeId("reviews-v1")};`), told);
    assert.ok(told.endsWith(`;URI=${mesh().spiffeId("caller-1")}`), told);
  });

  test("an instance whose check fails is not called until it passes again", async () => {
    const { spec } = mesh().host("reviews-v2");
    await mesh().catalog.register(spec, false);
    await eventually("v1 alone", async () => (await seen()) === "reviews-v1");
    await mesh().catalog.register(spec);
    await eventually("both again", async () => (await seen()) === all);
  });

  test("an instance that is deregistered leaves the endpoints and its host's agent, and may come back", async () => {
    const host = mesh().host("reviews-v2");
    const { failures } = await mesh().underTraffic("caller-1", "reviews", async () => {
      await mesh().catalog.deregister(host.spec);
      const inProxy = async (): Promise<boolean> =>
        (await mesh().host("caller-1").askProxy("/clusters")).includes(`${host.spec.address}:`);
      await eventually("v2 out of the endpoints", async () => !(await inProxy()));
      await eventually("no workload", async () => (await host.status()).workloads.length === 0, 10_000);
    });
    assert.deepEqual(failures, []);
    // `/clusters` is the view of Envoy's main thread; its workers take the change over a moment later.
    await eventually("only v1 is called", async () => (await seen()) === "reviews-v1", 1_000);
    await mesh().catalog.register(host.spec);
    await host.serving();
    await eventually("both again", async () => (await seen()) === all, 10_000);
  });
});
