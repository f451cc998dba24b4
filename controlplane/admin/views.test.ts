import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseJoinToken } from "../../mesh/identity/join-token.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { type EncodedResource, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../mesh/xds/json.ts";
import { PUSH_ORDER, TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { FAKE_NOW } from "../../test/fakes/admin-deps.ts";
import { JoinTokenStore } from "../attest/join-token-store.ts";
import { openDatabase } from "../store/database.ts";
import { ProxyStatusTable } from "../xds/proxy-status.ts";
import { toRegistryReply, toWorkloadReply } from "./catalog-view.ts";
import { type CausesOf, statusTypeOf, toProxyReply, toProxyResources, toSyncReply } from "./proxy-view.ts";
import { tokenPort } from "./token-view.ts";

const clock = { now: () => FAKE_NOW, monotonic: () => 0, sleep: async () => {} };
const iso = "2026-01-02T03:04:05.000Z";

test("a proxy's row tells each type's state and the reason of a refusal", async () => {
  const table = new ProxyStatusTable();
  const entry = table.connect({
    nodeId: "sidecar~1",
    workload: "default/reviews-v1",
    server: "s1",
    method: "delta",
    dataPlane: "envoy",
    dataPlaneVersion: "1.40.0",
    connectedAt: FAKE_NOW,
  });
  entry.evaluated(7);
  const lastNack = { at: FAKE_NOW, message: "unknown filter", resources: ["l"] };
  entry.update(TYPE_URL.listener, { state: "REJECTED", resources: 2, sentAt: FAKE_NOW, lastNack });
  const [status] = table.list();
  const causesOf: CausesOf = (workload, _type, names) => names.map((name) => `${workload} ${name}`);
  assert.ok(status);
  const reply = toProxyReply(status, "host-1", causesOf);
  assert.deepEqual(reply.types.listener, {
    state: "REJECTED",
    resources: 2,
    sentAt: iso,
    ackedAt: null,
    rejection: "unknown filter",
    causes: ["default/reviews-v1 l"],
  });
  assert.equal(reply.types.route.state, "IGNORED");
  assert.deepEqual([reply.agent, reply.connectedAt], ["host-1", iso]);
  assert.deepEqual(toSyncReply(await table.waitForSync(7, AbortSignal.abort()), causesOf), {
    acked: 0,
    total: 1,
    rejected: [
      {
        workload: "default/reviews-v1",
        type: "listener",
        message: "unknown filter",
        causes: ["default/reviews-v1 l"],
      },
    ],
  });
});

test("every type that is served has a name of its own", () => {
  const names = PUSH_ORDER.map(statusTypeOf);
  assert.equal(new Set(names).size, PUSH_ORDER.length);
});

test("what a proxy gets is told in ProtoJSON, by type and name", () => {
  const encode = (name: string): EncodedResource => {
    return { name, version: "v", bytes: Cluster.encode(Cluster.fromPartial({ name })).finish() };
  };
  const resources = {
    snapshot: 1,
    types: new Map([[TYPE_URL.cluster, resourceMap([encode("b"), encode("a")])]]),
  };
  const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
  assert.deepEqual(toProxyResources(json, resources, ["listener", "cluster"]), [
    { type: "cluster", name: "a", version: "v", resource: { name: "a" } },
    { type: "cluster", name: "b", version: "v", resource: { name: "b" } },
  ]);
});

test("a token that is made is a whole join token, and the list never has its secret", async () => {
  const database = openDatabase(":memory:");
  const facts = {
    addresses: ["vm1.lan:15012"],
    trustDomain: parseTrustDomain("cluster.local"),
    pin: Buffer.alloc(32, 7).toString("base64url"),
  };
  const port = tokenPort(new JoinTokenStore(database, clock), () => facts);
  const created = await port.create({ namespace: "shop", node: "vm2" }, 60_000);
  const { secret, ...rest } = parseJoinToken(created.token);
  assert.deepEqual(rest, facts);
  assert.deepEqual(port.list(), [
    {
      id: created.id,
      state: "active",
      createdAt: iso,
      expiresAt: "2026-01-02T03:05:05.000Z",
      usedBy: null,
      binding: { namespace: "shop", node: "vm2" },
    },
  ]);
  assert.ok(!JSON.stringify(port.list()).includes(secret));
  assert.deepEqual([port.revoke(created.id), port.revoke(created.id)], [true, false]);
  database.close();
});

test("workloads are told with their identity and where they are reached, registries with their state", () => {
  const workload: PlacedWorkload = {
    name: "web",
    namespace: "shop",
    service: "web",
    serviceAccount: "web-sa",
    labels: {},
    ports: [
      {
        name: "http",
        protocol: "http",
        servicePort: 80,
        inbound: { address: "fd00::1", port: 80 },
        app: { address: "::1", port: 80 },
      },
    ],
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    network: "",
    role: "sidecar",
    interception: "none",
    capturedAt: undefined,
    discovery: "mesh",
    httpProxy: undefined,
    vips: "none",
    reportsCalls: false,
    mtls: undefined,
    dataPlane: "envoy",
    catalog: undefined,
    group: undefined,
    agentId: "a1",
    registeredAt: FAKE_NOW,
    banned: false,
  };
  const { spiffeId, inbound, registeredAt } = toWorkloadReply(workload, "mesh.example");
  assert.deepEqual(
    [spiffeId, inbound, registeredAt],
    ["spiffe://mesh.example/ns/shop/sa/web-sa", ["[fd00::1]:80"], iso],
  );
  const stale = { state: "stale", since: FAKE_NOW, reason: "down" } as const;
  assert.deepEqual(toRegistryReply({ name: "consul", status: stale }), {
    name: "consul",
    state: "stale",
    since: iso,
    reason: "down",
    problems: [],
  });
});
