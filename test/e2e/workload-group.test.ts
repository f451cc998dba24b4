import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import type { List, WorkloadReply } from "../../mesh/admin-api/replies.ts";
import { eventually } from "../harness/eventually.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const FRONT = "front.example:80";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews", FRONT] },
  { name: "reviews-v1", service: "reviews", version: "v1", serviceAccount: "shopper" },
] as const;
const HEALTH_PORT = 8081;

function group(spec: object): string {
  return JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadGroup",
    metadata: { name: "reviews-vms" },
    spec,
  });
}

const labelled = (tier: string, more: object = {}): string =>
  group({
    metadata: { labels: { tier } },
    template: { serviceAccount: "shopper", locality: "eu/north", ports: { web: 9080 } },
    ...more,
  });

const FRONT_ENTRY = JSON.stringify({
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name: "front" },
  spec: {
    hosts: ["front.example"],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "web", protocol: "HTTP" }],
    workloadSelector: { labels: { tier: "front" } },
  },
});

describeMesh("workload groups", { hosts: HOSTS }, (mesh) => {
  let healthStatus = 200;
  let asked = 0;
  const health = createServer((_, response) => {
    asked += 1;
    response.writeHead(healthStatus).end();
  });
  before(async () => {
    health.listen(HEALTH_PORT, mesh().host("reviews-v1").spec.loopback);
    await once(health, "listening");
  });
  after(() => void health.close());

  const member = async (): Promise<WorkloadReply | undefined> => {
    const { items } = await mesh().admin.get<List<WorkloadReply>>("/v1/workloads");
    return items.find(({ name }) => name === "reviews-v1");
  };
  const answers = (upstream: string, status: number): Promise<unknown> =>
    eventually(
      `${upstream} answers ${status}`,
      async () => (await mesh().call("caller", upstream)).status === status,
      10_000,
    );

  test("a service that names a group is refused without it, and is what the group says from its creation on", async () => {
    const host = mesh().host("reviews-v1");
    const { pid } = (await host.serving()).dataPlane;
    // Its account is that of the service's name unless somebody says otherwise, and its agent did not join for that.
    const named = { group: "reviews-vms", serviceAccount: undefined, labels: { version: "v1" } };
    await host.writeServices([host.service(named)]);
    await host.workloadStatus("is refused", ({ reason }) =>
      /WorkloadGroup default\/reviews-vms does not exist/.test(reason ?? ""),
    );
    assert.equal(await member(), undefined);

    await mesh().apply(`${labelled("front")}\n---\n${FRONT_ENTRY}`);
    await answers("reviews", 200);
    await answers(FRONT, 200);
    const placed = await member();
    assert.deepEqual(placed?.labels, { app: "reviews", tier: "front", version: "v1" });
    assert.equal(placed?.spiffeId, mesh().spiffeId("reviews-v1"));
    assert.equal((await host.serving()).dataPlane.pid, pid, "its data plane was not restarted");
  });

  test("an edit relabels an endpoint, for services and for policies, without a restart", async () => {
    const host = mesh().host("reviews-v1");
    await mesh().apply(`${labelled("front")}\n---\n${FRONT_ENTRY}`);
    await answers(FRONT, 200);
    const { pid } = (await host.serving()).dataPlane;
    await mesh().apply(
      authorizationPolicy("front", "", {
        selector: { matchLabels: { tier: "front" } },
        action: "DENY",
        rules: [{}],
      }),
    );
    await answers("reviews", 403);
    await mesh().apply(labelled("back"));
    await answers("reviews", 200);
    await answers(FRONT, 503);
    assert.equal((await host.serving()).dataPlane.pid, pid);
  });

  test("an application that its group's probe finds unready leaves, and comes back", async () => {
    healthStatus = 200;
    const probe = { periodSeconds: 1, failureThreshold: 1, httpGet: { path: "/ready", port: HEALTH_PORT } };
    await mesh().apply(labelled("front", { probe }));
    const host = mesh().host("reviews-v1");
    await host.workloadStatus("was asked", (status) => status.probe?.ready === true);
    await answers("reviews", 200);
    healthStatus = 503;
    await answers("reviews", 503);
    const { probe: found } = await host.serving();
    assert.deepEqual(found, { ready: false, reason: "it answered 503" });
    assert.equal((await member())?.healthy, false);
    healthStatus = 200;
    await answers("reviews", 200);
    await mesh().apply(labelled("front"));
    await host.workloadStatus("is not asked any more", (status) => status.probe === undefined);
    const before = asked;
    healthStatus = 503;
    await answers("reviews", 200);
    assert.equal(asked, before);
  });

  test("a group that goes while the server restarts, and an agent that restarts then, change nothing", async () => {
    healthStatus = 200;
    const probe = { periodSeconds: 1, failureThreshold: 1, httpGet: { port: HEALTH_PORT } };
    await mesh().apply(`${labelled("front", { probe })}\n---\n${FRONT_ENTRY}`);
    await answers(FRONT, 200);
    const host = mesh().host("reviews-v1");
    await mesh().delete("WorkloadGroup", "reviews-vms");
    await mesh().server.stop();
    await host.stopAgent();
    host.startAgent();
    await host.serving();
    await host.workloadStatus("is asked still", (status) => status.probe?.ready === true);
    await mesh().server.start();
    await mesh().synced();
    await answers(FRONT, 200);
    const { group: held } = await host.workloadStatus("is told", (status) => status.group?.problem !== "");
    assert.match(held?.problem ?? "", /does not exist.*what it said before stays in force/);
    healthStatus = 500;
    await answers(FRONT, 503);
    healthStatus = 200;
    await answers(FRONT, 200);
    const analysis = await mesh().cli(["analyze"]);
    assert.match(
      analysis.stdout,
      /IST0101.*Workload default\/reviews-v1.*WorkloadGroup default\/reviews-vms/,
    );
  });
});
