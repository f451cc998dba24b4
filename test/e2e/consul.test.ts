import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { List, ServiceReply } from "../../mesh/admin-api/replies.ts";
import { eventually } from "../harness/eventually.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller-1", service: "caller", upstreams: ["reviews", "legacy"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

describeMesh("a real Consul", { hosts: HOSTS, catalog: "consul" }, (mesh) => {
  const seen = async (): Promise<string> =>
    Object.keys(await mesh().tally(12, "caller-1", "reviews"))
      .sort()
      .join();
  const all = "reviews-v1,reviews-v2";
  const consul = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: "PUT", body: JSON.stringify(body) };
    const response = await fetch(`${mesh().catalog.consul}/v1${path}`, init);
    const text = await response.text();
    assert.ok(response.ok, text);
    return text === "" ? undefined : JSON.parse(text);
  };
  /** Registers an instance as it is, with other tags and more metadata. */
  const registerWith = async (id: string, more: { tags?: string[]; meta?: object }): Promise<void> => {
    const now = (await consul(`/agent/service/${id}`)) as Record<string, unknown>;
    const { ID, Service: Name, Address, Port, Meta } = now;
    const { tags: Tags = [], meta } = more;
    await consul("/agent/service/register", {
      ID,
      Name,
      Address,
      Port,
      Tags,
      Meta: { ...(Meta as object), ...meta },
    });
  };

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

  test("a service without an agent is called in plaintext, unless a rule asks for mTLS, and shown as not meshed", async () => {
    const server = createServer((request, response) =>
      response.end(JSON.stringify(request.headers["x-forwarded-client-cert"] ?? "plain")),
    ).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port: Port } = server.address() as AddressInfo;
    const Tags = ["lateen.port=9080", "lateen.protocol=http"];
    const legacy = { ID: "legacy-1", Name: "legacy", Address: "127.0.0.1", Port, Tags };
    await consul("/agent/service/register", legacy);
    try {
      const answer = await eventually("an answer", async () => {
        const reply = await mesh().call("caller-1", "legacy");
        return reply.status === 200 && reply;
      });
      assert.equal(answer.body, '"plain"');
      const { items } = await mesh().admin.get<List<ServiceReply>>("/v1/services");
      const shown = items.find(({ name }) => name === "legacy");
      assert.deepEqual([shown?.endpoints, shown?.healthy, shown?.meshed, shown?.source], [1, 1, 0, "consul"]);
      await mesh().apply(`apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: legacy, namespace: default }
spec: { host: legacy, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`);
      await eventually("refused", async () => (await mesh().call("caller-1", "legacy")).status === 503);
    } finally {
      await consul("/agent/service/deregister/legacy-1", {});
      server.closeAllConnections();
      server.close();
    }
  });

  test("lateen.mtls=strict lets no caller without a certificate in", async () => {
    const { address } = mesh().host("reviews-v1").spec;
    const plaintext = (): Promise<boolean> =>
      fetch(`http://${address}:9080/`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually("let in", plaintext);
    await registerWith("reviews-v1", { meta: { "lateen-mtls": "strict" } });
    await eventually("shut out", async () => !(await plaintext()), 10_000);
    await eventually("both versions", async () => (await seen()) === all);
    await registerWith("reviews-v1", { meta: { "lateen-mtls": "permissive" } });
    await eventually("let in again", plaintext, 10_000);
  });

  test("a registration that contradicts itself is told in its host's status, and its traffic goes on", async () => {
    const host = mesh().host("reviews-v1");
    const { failures } = await mesh().underTraffic("caller-1", "reviews", async () => {
      await registerWith("reviews-v1", { tags: ["lateen.sa=reviews", "lateen.sa=admin"] });
      const found = await eventually(
        "a finding",
        async () => (await host.status()).problems.find(({ code }) => code === "host.tags"),
        10_000,
      );
      assert.deepEqual([found.severity, found.workload], ["error", "default/reviews-v1"]);
      assert.match(found.message, /tag lateen\.sa is given as both reviews and admin/);
      assert.equal((await host.serving()).state, "serving");
      await eventually("both versions", async () => (await seen()) === all);
    });
    assert.deepEqual(failures, []);
    await registerWith("reviews-v1", {});
    const tagged = async (): Promise<boolean> =>
      (await host.status()).problems.some(({ code }) => code === "host.tags");
    await eventually("mended", async () => !(await tagged()), 10_000);
  });
});
