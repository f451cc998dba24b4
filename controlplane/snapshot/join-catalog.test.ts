import assert from "node:assert/strict";
import { test } from "node:test";
import type { Defaulted, PlacedWorkload } from "../../mesh/model/workload.ts";
import type { WorkloadGroupSpec } from "../../mesh/model/workload-group.ts";
import { instance, port, workload } from "../../test/fakes/sample-mesh.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import { identitiesOf } from "./identities.ts";
import { type JoinedService, joinCatalog } from "./join-catalog.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";

function join(
  instances: readonly Partial<CatalogInstance>[],
  workloads: readonly PlacedWorkload[] = [],
): JoinedService | undefined {
  const all = instances.map((over, index) => ({
    ...instance("reviews", { id: `i${index}`, ...over }),
    registry: "consul",
  }));
  return joinCatalog(
    { namespace: "default", service: "reviews", instances: all, workloads },
    DEFAULT_SETTINGS,
  );
}

const inConsul = (instanceId: string): Pick<PlacedWorkload, "catalog"> => ({
  catalog: { registry: "consul", instanceId },
});

test("nothing known of a name is no service", () => {
  assert.equal(join([]), undefined);
});

const ports: readonly {
  readonly name: string;
  readonly given: readonly Partial<CatalogInstance>[];
  readonly want: readonly [number, string, string][];
}[] = [
  { name: "all agree", given: [{ port: 9080 }, { port: 9080 }], want: [[9080, "http", "http-9080"]] },
  { name: "they differ", given: [{ port: 30001 }, { port: 30002 }], want: [[80, "http", "http-80"]] },
  {
    name: "all name one",
    given: [
      { port: 30001, servicePort: 9080 },
      { port: 30002, servicePort: 9080 },
    ],
    want: [[9080, "http", "http-9080"]],
  },
  {
    name: "they name several",
    given: [
      { port: 1, servicePort: 90 },
      { port: 1, servicePort: 80 },
    ],
    want: [
      [80, "http", "http-80"],
      [90, "http", "http-90"],
    ],
  },
  { name: "nobody says a protocol", given: [{ protocol: undefined }], want: [[9080, "tcp", "tcp-9080"]] },
  {
    name: "only some say the protocol",
    given: [{ protocol: undefined }, { protocol: "http" }],
    want: [[9080, "http", "http-9080"]],
  },
  {
    name: "they disagree on the protocol",
    given: [{ protocol: "grpc" }, { protocol: "http" }],
    want: [[9080, "tcp", "tcp-9080"]],
  },
];
for (const { name, given, want } of ports) {
  test(`the service port when instances: ${name}`, () => {
    const found = join(given)?.service.ports.map((one) => [one.number, one.protocol, one.name]);
    assert.deepEqual(found, want);
  });
}

test("an instance that no workload names is reached as it is, in plaintext", () => {
  const [endpoint] = join([{ address: "10.1.1.1", port: 8080 }])?.endpoints ?? [];
  assert.deepEqual(endpoint?.targets, [{ servicePort: 8080, address: "10.1.1.1", port: 8080 }]);
  assert.equal(endpoint?.meshed, false);
  assert.equal(endpoint?.serviceAccount, undefined);
});

test("an instance that a workload names is reached through that workload's proxy", () => {
  const mine = workload("reviews", {
    ...inConsul("i0"),
    serviceAccount: "rev",
    labels: { version: "v2" },
    ports: [port({ inbound: { address: "10.0.0.7", port: 21000 } })],
  });
  const joined = join([{ port: 9080, labels: { rack: "r1", version: "v1" }, weight: 5 }], [mine]);
  assert.equal(joined?.endpoints.length, 1);
  const [endpoint] = joined.endpoints;
  assert.deepEqual(endpoint?.targets, [{ servicePort: 9080, address: "10.0.0.7", port: 21000 }]);
  assert.equal(endpoint?.meshed, true);
  assert.equal(endpoint?.serviceAccount, "rev");
  assert.equal(endpoint?.workload, "default/reviews-1");
  assert.equal(endpoint?.weight, 5);
  assert.deepEqual(endpoint?.labels, { rack: "r1", version: "v2" });
});

test("an agent names its instance whichever of several Consul catalogs the server has it from, each the region of its own", () => {
  const instances = ["dc1", "dc2"].map((datacenter) => ({
    ...instance("reviews", { id: `${datacenter}/vm-1/reviews-1`, locality: datacenter }),
    registry: `consul/${datacenter}`,
  }));
  const workloads = [workload("reviews", inConsul("dc2/vm-1/reviews-1"))];
  const sources = { namespace: "default", service: "reviews", instances, workloads };
  assert.deepEqual(
    joinCatalog(sources, DEFAULT_SETTINGS)?.endpoints.map(({ id, meshed, locality }) => [
      id,
      meshed,
      locality,
    ]),
    [
      ["consul/dc1/dc1/vm-1/reviews-1", false, "dc1"],
      ["consul/dc2/dc2/vm-1/reviews-1", true, "dc2"],
    ],
  );
});

test("the catalog's port rule also holds for a joined workload, whose agent sees its own port only", () => {
  const of = (name: string, number: number): PlacedWorkload =>
    workload("reviews", { name, ...inConsul(name), ports: [port({ servicePort: number })] });
  const joined = join(
    [
      { id: "a", port: 30001 },
      { id: "b", port: 30002 },
    ],
    [of("a", 30001), of("b", 30002)],
  );
  assert.deepEqual(
    joined?.service.ports.map(({ number }) => number),
    [80],
  );
  assert.deepEqual(
    joined?.endpoints.map(({ targets }) => targets[0]?.servicePort),
    [80, 80],
  );
});

for (const [catalog, agent, want] of [
  [true, true, true],
  [true, false, false],
  [false, true, false],
] as const) {
  test(`catalog says ${catalog}, agent says ${agent}: healthy is ${want}`, () => {
    const joined = join([{ healthy: catalog }], [workload("reviews", { ...inConsul("i0"), healthy: agent })]);
    assert.equal(joined?.endpoints[0]?.healthy, want);
  });
}

test("a workload without a catalog is an endpoint of its own", () => {
  const joined = join([], [workload("reviews")]);
  assert.deepEqual(
    joined?.endpoints.map(({ id, meshed }) => [id, meshed]),
    [["agents/default/reviews-1", true]],
  );
  assert.equal(joined?.service.source, "agents");
});

test("a catalog says a workload's weight, unless nobody but its group does", () => {
  const said = {
    labels: {},
    annotations: {},
    template: { weight: 7 },
    probe: undefined,
  } as WorkloadGroupSpec;
  const weightWith = (defaulted: readonly Defaulted[], weight: number): number | undefined => {
    const group = { name: "web", defaulted, applied: { said, own: workload("reviews") } };
    const joined = join(
      [{ id: "n1/r1", weight: 3 }],
      [workload("reviews", { ...inConsul("n1/r1"), weight, group })],
    );
    return joined?.endpoints[0]?.weight;
  };
  assert.equal(weightWith(["weight"], 7), 7);
  assert.equal(weightWith([], 3), 3);
  assert.equal(weightWith(["weight"], 1), 3, "a group that says none");
});

test("a workload whose catalog instance is gone is no endpoint", () => {
  assert.equal(join([], [workload("reviews", inConsul("gone"))]), undefined);
  const joined = join([{ id: "other" }], [workload("reviews", inConsul("gone"))]);
  assert.deepEqual(
    joined?.endpoints.map(({ id }) => id),
    ["consul/other"],
  );
});

test("of two workloads that claim an instance the first registered has it", () => {
  const late = workload("reviews", { ...inConsul("i0"), name: "a-late", registeredAt: 2 });
  const early = workload("reviews", { ...inConsul("i0"), name: "b-early", registeredAt: 1 });
  for (const order of [
    [late, early],
    [early, late],
  ]) {
    assert.equal(join([{}], order)?.endpoints[0]?.workload, "default/b-early");
  }
});

test("the order in which instances and workloads are told does not matter", () => {
  const instances = [{ id: "b" }, { id: "a" }, { id: "c", protocol: "tcp" as const }];
  const workloads = [workload("reviews", { name: "z" }), workload("reviews", { name: "y" })];
  assert.deepEqual(join(instances, workloads), join(instances.toReversed(), workloads.toReversed()));
});

test("a gateway is called in plaintext, unless a DestinationRule says otherwise, and is known by its identity all the same", () => {
  const joined = join([], [workload("reviews", { role: "gateway" })]);
  const [endpoint] = joined?.endpoints ?? [];
  assert.deepEqual([endpoint?.meshed, endpoint?.serviceAccount], [false, "reviews"]);
  assert.ok(joined);
  assert.deepEqual(identitiesOf(joined, "cluster.local"), ["spiffe://cluster.local/ns/default/sa/reviews"]);
});

test("what is banned is no endpoint, not even the plain one that its catalog lists; its service keeps its ports", () => {
  const joined = join([{}, {}], [workload("reviews", { ...inConsul("i0"), name: "evil", banned: true })]);
  assert.deepEqual(
    joined?.endpoints.map(({ id }) => id),
    ["consul/i1"],
  );
  const alone = join([], [workload("reviews", { banned: true })]);
  assert.deepEqual(alone?.endpoints, []);
  assert.equal(alone?.service.ports.length, 1);
});

const REGISTRATION = "_nomad-task-228d104e-e160-dd99-14e0-1cf784384419-group-app-reviews-http";

const doubles: readonly {
  readonly name: string;
  readonly claim: string | undefined;
  readonly want: string;
}[] = [
  { name: "Consul's stays", claim: undefined, want: `consul/vm1/${REGISTRATION}` },
  { name: "the one that a workload names stays", claim: REGISTRATION, want: `nomad/${REGISTRATION}` },
];

for (const { name, claim, want } of doubles) {
  test(`an instance that a job has in Nomad and in Consul is one endpoint: ${name}`, () => {
    const place = { address: "10.0.0.7", port: 28_156 };
    const instances = [
      { ...instance("reviews", { ...place, id: `vm1/${REGISTRATION}` }), registry: "consul" },
      { ...instance("reviews", { ...place, id: REGISTRATION }), registry: "nomad" },
      { ...instance("reviews", { ...place, id: "vm1/other" }), registry: "consul" },
    ];
    const catalog = claim === undefined ? undefined : { registry: "nomad", instanceId: claim };
    const workloads = catalog === undefined ? [] : [workload("reviews", { catalog })];
    const joined = joinCatalog(
      { namespace: "default", service: "reviews", instances, workloads },
      DEFAULT_SETTINGS,
    );
    assert.deepEqual(
      joined?.endpoints.map(({ id }) => id),
      ["consul/vm1/other", want].sort(),
    );
  });
}
