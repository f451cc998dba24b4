import assert from "node:assert/strict";
import { test } from "node:test";
import { workloadId } from "../../mesh/model/workload.ts";
import { added, instance, objects, port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import type { MeshState } from "./mesh-state.ts";
import { VipAllocator } from "./vip-allocator.ts";

const HOST = "reviews.default.svc.cluster.local";
const KEY = `default/${HOST}`;

function changedKeys(state: MeshState): readonly string[] {
  return [...state.next().changed].sort();
}

function entry(spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec: ${spec}
`;
}

test("a first instance brings the service, its endpoints and its names", () => {
  const state = sampleState({ instances: [instance("reviews")] });
  assert.deepEqual(changedKeys(state), [
    `endpoints/${KEY}`,
    `identities/${KEY}`,
    "mesh/hosts",
    `service/${HOST}`,
  ]);
});

test("one more instance of the same kind changes the endpoints alone", () => {
  const state = sampleState({ instances: [instance("reviews")] });
  state.next();
  state.setCatalog("consul", "default", "reviews", [instance("reviews"), instance("reviews", { id: "r2" })]);
  assert.deepEqual(changedKeys(state), [`endpoints/${KEY}`]);
});

test("what comes again as it was changes nothing", () => {
  const state = sampleState({ instances: [instance("reviews")], workloads: [workload("details")] });
  state.next();
  state.setCatalog("consul", "default", "reviews", [instance("reviews")]);
  state.setWorkloads([{ id: "default/details-1", workload: workload("details") }]);
  assert.deepEqual(changedKeys(state), []);
});

test("a workload's health changes its endpoint and not its own configuration", () => {
  const state = sampleState({ workloads: [workload("reviews")] });
  state.next();
  state.setWorkloads([{ id: "default/reviews-1", workload: workload("reviews", { healthy: false }) }]);
  const { snapshot, changed } = state.next();
  assert.deepEqual([...changed], [`endpoints/${KEY}`]);
  assert.equal(snapshot.workloads.get("default/reviews-1")?.healthy, false);
});

test("a workload that moves to another service leaves the first", () => {
  const state = sampleState({ workloads: [workload("reviews", { name: "w" })] });
  state.next();
  state.setWorkloads([{ id: "default/w", workload: workload("details", { name: "w" }) }]);
  const { snapshot } = state.next();
  assert.deepEqual([...snapshot.services.keys()], ["details.default.svc.cluster.local"]);
});

test("two registries that list a service are joined; one that no longer does takes only its own away", () => {
  const state = sampleState({ instances: [instance("reviews")] });
  state.setCatalog("embedded", "default", "reviews", [instance("reviews")]);
  assert.equal(state.next().snapshot.endpoints.get(KEY)?.length, 2);
  state.setCatalog("consul", "default", "reviews", []);
  assert.deepEqual(
    state
      .next()
      .snapshot.endpoints.get(KEY)
      ?.map(({ id }) => id),
    ["embedded/reviews-1"],
  );
});

test("a snapshot is not changed by those that follow, and shares what is still true", () => {
  const state = sampleState({ instances: [instance("reviews"), instance("details")] });
  const before = state.next().snapshot;
  state.setCatalog("consul", "default", "reviews", []);
  const after = state.next().snapshot;
  assert.ok(before.services.has(HOST));
  assert.ok(!after.services.has(HOST));
  const details = "details.default.svc.cluster.local";
  assert.equal(after.endpoints.get(details), before.endpoints.get(details));
  assert.equal(after.workloads, before.workloads);
});

test("the names of a service are those of its meshed endpoints, healthy or not", () => {
  const state = sampleState({
    workloads: [
      workload("reviews", { name: "a", serviceAccount: "sa-2", healthy: false }),
      workload("reviews", { name: "b", serviceAccount: "sa-1" }),
    ],
  });
  assert.deepEqual(state.next().snapshot.identities.get(KEY), [
    "spiffe://cluster.local/ns/default/sa/sa-1",
    "spiffe://cluster.local/ns/default/sa/sa-2",
  ]);
});

test("a ServiceEntry brings its hosts with ports by Istio's order", () => {
  const state = sampleState({
    yaml: entry(`
      hosts: [db.example]
      location: MESH_INTERNAL
      resolution: STATIC
      ports: [{ number: 5432, name: pg, protocol: TCP, targetPort: 15432 }]
      endpoints:
        - { address: 10.5.0.1, ports: { pg: 25432 }, serviceAccount: db }
        - { address: 10.5.0.2 }`),
  });
  const endpoints = state.next().snapshot.endpoints.get("default/db.example/static") ?? [];
  assert.deepEqual(
    endpoints.map(({ targets, meshed }) => [targets[0]?.port, meshed]),
    [
      [25432, true],
      [15432, false],
    ],
  );
});

test("WorkloadEntries that a ServiceEntry selects come and go with their labels", () => {
  const selecting = entry(`
      hosts: [db.example]
      location: MESH_INTERNAL
      resolution: STATIC
      ports: [{ number: 5432, name: pg, protocol: TCP }]
      workloadSelector: { labels: { app: db } }`);
  const state = sampleState({ yaml: selecting });
  state.next();
  const [member] = objects(
    `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: vm-1 }
spec: { address: 10.5.0.9, labels: { app: db }, serviceAccount: db }
`,
    9,
  );
  assert.ok(member);
  state.setConfig(added([member]), 9);
  const { snapshot, changed } = state.next();
  assert.deepEqual([...changed].sort(), [
    "endpoints/default/db.example/static",
    "identities/default/db.example/static",
  ]);
  assert.equal(snapshot.endpoints.get("default/db.example/static")?.[0]?.targets[0]?.address, "10.5.0.9");
  assert.equal(snapshot.revision, 9);
  state.setConfig([{ key: "WorkloadEntry/default/vm-1", before: member, after: undefined }], 10);
  assert.deepEqual(state.next().snapshot.endpoints.get("default/db.example/static"), []);
});

for (const [said, label, want] of [
  ["nothing", "", false],
  ["that it takes mesh TLS", ', "security.istio.io/tlsMode": istio', true],
] as const) {
  test(`a WorkloadEntry whose workload is a gateway, and that says ${said}, is meshed: ${want}`, () => {
    const entryOfGateway = `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: egress-1 }
spec: { address: 10.5.0.9, labels: { app: egress${label} }, serviceAccount: egress }
`;
    const selecting = entry(`
      hosts: [egress.example]
      location: MESH_INTERNAL
      resolution: STATIC
      ports: [{ number: 80, name: http, protocol: HTTP }]
      workloadSelector: { labels: { app: egress } }`);
    const state = sampleState({ yaml: `${selecting}${entryOfGateway}` });
    const meshed = (): readonly boolean[] | undefined =>
      state
        .next()
        .snapshot.endpoints.get("default/egress.example/static")
        ?.map((one) => one.meshed);
    assert.deepEqual(meshed(), [true], "nobody knows yet that it is a gateway");
    const gateway = workload("egress", { role: "gateway" });
    state.setWorkloads([{ id: workloadId(gateway), workload: gateway }]);
    assert.deepEqual(meshed(), [want]);
  });
}

test("a catalog's service beats a ServiceEntry for its name, which takes over when it is gone", () => {
  const state = sampleState({
    yaml: entry(`
      hosts: [${HOST}]
      resolution: STATIC
      ports: [{ number: 80, name: http, protocol: HTTP }]
      endpoints: [{ address: 10.5.0.1 }]`),
    instances: [instance("reviews")],
  });
  assert.equal(state.next().snapshot.services.get(HOST)?.[0]?.source, "consul");
  state.setCatalog("consul", "default", "reviews", []);
  assert.equal(state.next().snapshot.services.get(HOST)?.[0]?.source, "ServiceEntry");
});

test("configuration is indexed by the hosts and namespaces it is for, oldest first", () => {
  const rule = (name: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec: { host: reviews }
`;
  const list = objects([rule("b"), rule("a")].join("---"));
  const state = sampleState({});
  state.setConfig(added(list.toReversed()), 2);
  const { snapshot, changed } = state.next();
  assert.ok(changed.has(`destination-rule/${HOST}`));
  assert.deepEqual(
    snapshot.lists["destination-rule"].get(HOST)?.map(({ metadata }) => metadata.name),
    ["b", "a"],
  );
});

test("the order in which changes come does not matter", () => {
  const workloads = [workload("reviews", { name: "a" }), workload("reviews", { name: "b", ports: [port()] })];
  const parts = { workloads, instances: [instance("reviews"), instance("details")] };
  const forward = sampleState(parts).next().snapshot;
  const backward = sampleState({
    workloads: workloads.toReversed(),
    instances: parts.instances.toReversed(),
  }).next().snapshot;
  assert.deepEqual(forward, backward);
});

/** Two services whose names want the same address, in the order of the alphabet. */
function colliding(): readonly [string, string] {
  const wanting = new Map<string, string>();
  for (let index = 10_000; ; index += 1) {
    const service = `s${index}`;
    const address = new VipAllocator().addressOf(`${service}.default.svc.cluster.local`);
    const other = wanting.get(address);
    if (other !== undefined) return [other, service];
    wanting.set(address, service);
  }
}

test("a service whose address another one's name has moved is told anew, as if both had been there from the start", () => {
  const [first, second] = colliding();
  const addressesIn = (state: MeshState): readonly unknown[] => {
    const { snapshot } = state.next();
    return [first, second].map(
      (name) => snapshot.services.get(`${name}.default.svc.cluster.local`)?.[0]?.addresses,
    );
  };
  const state = sampleState({ instances: [instance(second)] });
  const [, alone] = addressesIn(state);
  state.setCatalog("consul", "default", first, [instance(first)]);
  const both = addressesIn(state);
  assert.deepEqual(both[0], alone, "it comes first in the alphabet");
  assert.deepEqual(both, addressesIn(sampleState({ instances: [instance(first), instance(second)] })));
  state.setCatalog("consul", "default", first, []);
  assert.deepEqual(addressesIn(state), [undefined, alone]);
});
