import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import { added, instance, objects, port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import type { StoreChange } from "../store/config-store.ts";
import { keyOf } from "./config-index.ts";
import { MESH_BUDGET } from "./mesh-budget.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { MeshSizes } from "./mesh-sizes.ts";

const HEAD = "apiVersion: networking.istio.io/v1";
const NONE = { clusters: 0, endpoints: 0, routes: 0, imports: 0 };
const PORTS =
  "ports: [{ number: 80, name: http, protocol: HTTP }, { number: 81, name: two, protocol: HTTP }]";

const entry = (name: string, spec: string): string =>
  `---\n${HEAD}\nkind: ServiceEntry\nmetadata: { name: ${name} }\nspec: { ${PORTS}, ${spec} }\n`;
const static2 =
  "resolution: STATIC, endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.2 }, { address: 10.0.0.3 }]";
const rule = (host: string, ...subsets: readonly string[]): string =>
  `---\n${HEAD}\nkind: DestinationRule\nmetadata: { name: ${host.replace("*", "all")} }
spec: { host: "${host}", subsets: [${subsets.map((name) => `{ name: ${name}, labels: { v: ${name} } }`).join(", ")}] }\n`;

const server = (name: string, protocol: string, hosts: string, tls = ""): string =>
  `---\n${HEAD}\nkind: Gateway\nmetadata: { name: ${name} }
spec: { servers: [{ port: { number: 80, name: a, protocol: ${protocol} }, hosts: ${hosts}, ${tls} }] }\n`;

function sizeOf(yaml: string): MeshSizes["total"] {
  const sizes = new MeshSizes(DEFAULT_SETTINGS);
  for (const change of added(objects(yaml))) sizes.update(change);
  return sizes.total;
}

const cases: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly want: Partial<typeof NONE>;
}[] = [
  {
    name: "hosts with each port at each address",
    yaml: entry("a", `hosts: [a.example.com, b.example.com], ${static2}`),
    want: { clusters: 4, endpoints: 12 },
  },
  {
    name: "subsets of one of the hosts, and of all that a wildcard covers",
    yaml: `${entry("a", `hosts: [a.example.com, b.example.com], ${static2}`)}${rule("a.example.com", "v1")}${rule("*.example.com", "v2", "v3")}`,
    want: { clusters: 4 + 2 + 8, endpoints: 12 + 6 + 24 },
  },
  {
    name: "what a selector may choose, for each host and port",
    yaml: `${entry("a", "hosts: [a.example.com, b.example.com], resolution: STATIC, workloadSelector: { labels: { app: a } }")}
---\n${HEAD}\nkind: WorkloadEntry\nmetadata: { name: a1 }\nspec: { address: 10.0.0.1, labels: { app: a } }
---\n${HEAD}\nkind: WorkloadEntry\nmetadata: { name: a2 }\nspec: { address: 10.0.0.2, labels: { app: a, v: x } }
---\n${HEAD}\nkind: WorkloadEntry\nmetadata: { name: b }\nspec: { address: 10.0.0.3, labels: { app: b } }\n`,
    want: { clusters: 4, endpoints: 4 + 8 },
  },
  {
    name: "matches with each host, at each port of it, and those of delegates",
    yaml: `${entry("a", `hosts: [a.example.com], ${static2}`)}
---\n${HEAD}\nkind: VirtualService\nmetadata: { name: root }
spec:
  hosts: [a.example.com, b.example.com]
  http:
    - match: [{ uri: { prefix: /a } }, { uri: { prefix: /b } }]
      route: [{ destination: { host: a.example.com } }]
    - match: [{ uri: { prefix: /c } }, { uri: { prefix: /d } }, { uri: { prefix: /e } }]
      delegate: { name: leaf }
---\n${HEAD}\nkind: VirtualService\nmetadata: { name: leaf }
spec:
  http:
    - match: [{ uri: { prefix: /x } }, { uri: { prefix: /y } }]
      route: [{ destination: { host: a.example.com } }]
    - route: [{ destination: { host: a.example.com } }]\n`,
    want: { clusters: 2, endpoints: 6, routes: 4 + 4 + 2 * 3 * 3 },
  },
  {
    name: "hosts that Sidecars let in",
    yaml: `${entry("a", `hosts: [a.example.com, b.example.com], ${static2}`)}
---\n${HEAD}\nkind: Sidecar\nmetadata: { name: own }
spec: { egress: [{ hosts: ["./*", "other/*", "~/*", "other/one.example.com"] }] }
---\n${HEAD}\nkind: Sidecar\nmetadata: { name: all, namespace: other }
spec: { egress: [{ hosts: ["*/*"] }] }\n`,
    want: { clusters: 4, endpoints: 12, imports: 2 + 0 + 1 + 2 },
  },
  {
    name: "listeners of a Sidecar's ingress",
    yaml: `---\n${HEAD}\nkind: Sidecar\nmetadata: { name: own }
spec: { ingress: [{ port: { number: 80, protocol: HTTP } }, { port: { number: 81, protocol: TCP } }] }\n`,
    want: { clusters: 2 },
  },
  {
    name: "servers with each host, and the routes for those that they have",
    yaml: `${server("own", "HTTP", "[a.example.com, '*.shop.example.com']")}${server("other", "HTTP", "['*']")}
---\n${HEAD}\nkind: VirtualService\nmetadata: { name: at-own }
spec:
  hosts: [a.example.com, b.shop.example.com, c.elsewhere.com]
  gateways: [own, mesh]
  http: [{ match: [{ uri: { prefix: /a } }, { uri: { prefix: /b } }], route: [{ destination: { host: a.example.com } }] }]
---\n${HEAD}\nkind: VirtualService\nmetadata: { name: at-both }
spec:
  hosts: ["*"]
  gateways: [own, default/other]
  http: [{ route: [{ destination: { host: a.example.com } }] }]\n`,
    want: { routes: 2 + 1 + (3 * 2 + 2 * 2) + (1 + 2 + 1) },
  },
  {
    name: "what a gateway between networks leads on",
    yaml: `${entry("a", `hosts: [a.example.com, b.example.com], ${static2}`)}${rule("a.example.com", "v1")}${server("east", "TLS", "['*.example.com']", "tls: { mode: AUTO_PASSTHROUGH }")}`,
    want: { clusters: 4 + 2 + 4, endpoints: 12 + 6, routes: 1 },
  },
];

for (const { name, yaml, want } of cases) {
  test(`counts ${name}`, () => assert.deepEqual(sizeOf(yaml), { ...NONE, ...want }));
}

test("catalogs count too, and with what objects say of their services", () => {
  const sizes = new MeshSizes(DEFAULT_SETTINGS);
  const reviews = [instance("reviews", { id: "a" }), instance("reviews", { id: "b" })];
  sizes.catalog("reviews.default.svc.cluster.local", "default", [], reviews);
  for (const change of added(objects(rule("reviews", "v1", "v2")))) sizes.update(change);
  assert.deepEqual(sizes.total, { ...NONE, clusters: 3, endpoints: 6 });
  sizes.catalog("reviews.default.svc.cluster.local", "default", reviews, []);
  assert.deepEqual(sizes.total, NONE);
});

test("services of agents count with each port, however many workloads have it, and with what objects say of them", () => {
  const sizes = new MeshSizes(DEFAULT_SETTINGS);
  const host = "reviews.default.svc.cluster.local";
  const two = workload("reviews", { ports: [port(), port({ servicePort: 9081 })] });
  const one = workload("reviews");
  const listed = workload("reviews", { catalog: { registry: "consul", instanceId: "a" } });
  for (const each of [two, one, listed]) sizes.workload(host, each, 1);
  for (const change of added(objects(rule("reviews", "v1", "v2")))) sizes.update(change);
  assert.deepEqual(sizes.total, { ...NONE, clusters: 2 + 4, endpoints: 3 + 6 });
  sizes.workload(host, two, -1);
  assert.deepEqual(sizes.total, { ...NONE, clusters: 1 + 2, endpoints: 1 + 2 });
  for (const each of [one, listed]) sizes.workload(host, each, -1);
  assert.deepEqual(sizes.total, NONE);
});

test("subsets of services that agents register are refused where they are too many", () => {
  const state = sampleState({});
  const change = (index: number) => {
    const service = `s${index}`;
    return { id: `default/${service}-1`, workload: workload(service) };
  };
  state.setWorkloads(Array.from({ length: 2_000 }, (_, index) => change(index)));
  const names = Array.from({ length: 60 }, (_, index) => `v${index}`);
  const change60 = added(objects(rule("*.default.svc.cluster.local", ...names)));
  assert.throws(() => state.admit(change60), { code: "mesh.too-large" });
});

test("whatever comes and goes, the count is that of what there is; to ask leaves it as it was", () => {
  const pool = cases.flatMap(({ yaml }) => objects(yaml));
  const versions = pool.map((object, index) => ({
    ...object,
    metadata: { ...object.metadata, name: `o${index % 9}` },
  }));
  const held = new Map<ObjectKey, StoredObject>();
  const sizes = new MeshSizes(DEFAULT_SETTINGS);
  let state = 42;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  for (let round = 0; round < 300; round++) {
    const picked = versions[random(versions.length)];
    assert.ok(picked !== undefined);
    const key = keyOf(picked);
    const after = random(3) === 0 ? undefined : picked;
    const change: StoreChange = { key, before: held.get(key), after };
    const before = sizes.total;
    sizes.admit([change]);
    assert.deepEqual(sizes.total, before);
    sizes.update(change);
    if (after === undefined) held.delete(key);
    else held.set(key, after);
    const fresh = new MeshSizes(DEFAULT_SETTINGS);
    for (const one of added([...held.values()])) fresh.update(one);
    assert.deepEqual(sizes.total, fresh.total);
  }
});

/** 250 hosts with 100 ports and four endpoints: as much as one ServiceEntry may ask for. */
function largest(
  count: number,
  end = "endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.2 }, { address: 10.0.0.3 }, { address: 10.0.0.4 }]",
): readonly StoredObject[] {
  const list = (length: number, text: (index: number) => string): string =>
    Array.from({ length }, (_, index) => text(index)).join(", ");
  const [one] = objects(`${HEAD}
kind: ServiceEntry
metadata: { name: many }
spec:
  hosts: [${list(250, (host) => `h${host}.example.com`)}]
  ports: [${list(100, (port) => `{ number: ${8000 + port}, name: http-${port}, protocol: HTTP }`)}]
  resolution: STATIC
  ${end}
`);
  assert.ok(one !== undefined);
  return Array.from({ length: count }, (_, index) => ({
    ...one,
    metadata: { ...one.metadata, name: `many-${index}` },
  }));
}

const tooMany = {
  code: "mesh.too-large",
  message:
    "the mesh would have 1,275,000 clusters (hosts × ports × subsets), at most 100,000 are held; " +
    "ServiceEntry/default/many-0 adds most of them",
  hint: "name fewer hosts or ports in ServiceEntries, or fewer subsets for many hosts",
};

test("51 ServiceEntries, each within its limits, are refused at once and without being expanded", () => {
  const changes = added(largest(51));
  const state = sampleState({});
  const [before, at] = [process.memoryUsage().heapUsed, performance.now()];
  assert.throws(() => state.admit(changes), tooMany);
  const [ms, bytes] = [performance.now() - at, process.memoryUsage().heapUsed - before];
  assert.ok(ms < 2000, `${ms} ms`);
  assert.ok(bytes < 100 << 20, `${bytes} bytes`);
  assert.equal(state.next().snapshot.services.size, 0);
});

test("what fits to the last is admitted, one more is not; what makes a mesh smaller always is", () => {
  const state = sampleState({});
  const [last, ...rest] = added(largest(5));
  assert.ok(last !== undefined);
  state.admit(rest);
  state.setConfig(rest, 1);
  assert.throws(() => state.admit([last]), { code: "mesh.too-large" });
  state.setConfig([last], 2);
  const gone = { key: last.key, before: last.after, after: undefined };
  state.admit([gone]);
  assert.throws(() => state.next(), { code: "mesh.too-large" });
  state.setConfig([gone], 3);
  assert.equal(state.next().snapshot.services.size, 250);
});

test("workloads that a selector may choose count as they come", () => {
  const state = sampleState({});
  state.setConfig(added(largest(1, "workloadSelector: { labels: { app: a } }")), 1);
  const one = workload("a", { labels: { app: "a" }, service: "" });
  const change = (index: number) => ({ id: `default/a${index}`, workload: { ...one, name: `a${index}` } });
  state.setWorkloads([change(0)]);
  assert.equal(state.next().snapshot.services.size, 250);
  const many = MESH_BUDGET.endpoints / 25_000;
  state.setWorkloads(Array.from({ length: many }, (_, index) => change(index)));
  assert.throws(() => state.next(), { code: "mesh.too-large" });
});
