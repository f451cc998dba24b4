import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import {
  added,
  bookinfoWorkloads,
  instance,
  objects,
  port,
  type SampleParts,
  sampleState,
  workload,
} from "../../test/fakes/sample-mesh.ts";
import type { MeshState } from "../snapshot/mesh-state.ts";
import type { ResourceMap } from "../xds/config-source.ts";
import { createTranslator, type Translator } from "./translator.ts";

const PRODUCTPAGE = "default/productpage-1";
const SERVED = [PRODUCTPAGE, "default/reviews-v1", "default/reviews-v2", "default/ratings-1"];

interface Harness {
  readonly state: MeshState;
  readonly translator: Translator;
  /** Publishes what has changed and returns the keys of the resources that were built for it. */
  publish(): readonly string[];
  maps(id: string): ReadonlyMap<TypeUrl, ResourceMap>;
  /** Keys of all entries that were built since `publish` was called last. */
  readonly built: readonly string[];
}

function harness(parts: SampleParts = { workloads: bookinfoWorkloads() }): Harness {
  const state = sampleState(parts);
  const built: string[] = [];
  const translator = createTranslator({ onBuild: (key) => built.push(key) });
  const it: Harness = {
    state,
    translator,
    built,
    publish: () => {
      built.length = 0;
      const { snapshot, changed } = state.next();
      translator.publish(snapshot, changed);
      return built.filter((key) => /^(cluster|assignment|listener|route)\//.test(key)).sort();
    },
    maps: (id) => {
      const resources = translator.preview(id);
      assert.ok(resources, `${id} has resources`);
      return resources.types;
    },
  };
  it.publish();
  for (const id of SERVED) it.translator.preview(id);
  return it;
}

function canary(weight: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route:
        - { destination: { host: reviews }, weight: ${weight} }
        - { destination: { host: details }, weight: ${100 - weight} }
`;
}

test("a changed endpoint rebuilds one assignment, and every other map stays the same object", () => {
  const it = harness();
  const before = new Map(SERVED.map((id) => [id, it.maps(id)]));
  const [reviews] = bookinfoWorkloads().filter(({ name }) => name === "reviews-v3");
  assert.ok(reviews);
  it.state.setWorkloads([{ id: "default/reviews-v3", workload: { ...reviews, healthy: false } }]);
  const built = it.publish().filter((key) => key.startsWith("assignment/"));
  assert.equal(built.length, 1);
  assert.match(built[0] ?? "", /^assignment\/outbound\|9080\|\|reviews\.default\.svc\.cluster\.local@/);
  for (const id of SERVED) {
    for (const [type, map] of it.maps(id)) {
      const touched = id === PRODUCTPAGE && type === TYPE_URL.endpoints;
      assert.equal(map === before.get(id)?.get(type), !touched, `${id} ${type}`);
    }
  }
});

test("a VirtualService rebuilds only the routes that it touches", () => {
  const it = harness({ workloads: bookinfoWorkloads(), yaml: canary(90) });
  const before = it.maps(PRODUCTPAGE);
  const [old] = objects(canary(90));
  const [next] = objects(canary(50));
  assert.ok(old && next);
  it.state.setConfig([{ key: "VirtualService/default/reviews", before: old, after: next }], 2);
  const built = it.publish();
  assert.equal(built.length, 1);
  assert.match(built[0] ?? "", /^route\/reviews\.default/);
  const after = it.maps(PRODUCTPAGE);
  assert.deepEqual(
    [...after].filter(([type, map]) => map !== before.get(type)).map(([type]) => type),
    [TYPE_URL.route],
  );
});

test("a change of one host encodes that host and no other, at the HTTP proxy too", (t) => {
  const caller = workload("caller", { discovery: "mesh", httpProxy: { address: "127.0.0.1", port: 15_080 } });
  const others = Array.from({ length: 50 }, (_, index) => instance(`other-${index}`));
  const it = harness({ workloads: [caller, ...bookinfoWorkloads()], instances: others });
  it.translator.preview("default/caller-1");
  const encode = t.mock.method(VirtualHost, "encode");
  it.state.setConfig(added(objects(canary(10))), 1);
  it.publish();
  const names = encode.mock.calls.map((call) => call.arguments[0].name);
  assert.ok(names.includes("reviews.default.svc.cluster.local:9080"));
  assert.deepEqual(
    names.filter((name) => name.startsWith("other-")),
    [],
  );
});

test("a service that comes builds its own listener and no other", () => {
  const caller = workload("caller", { discovery: "mesh", vips: "loopback" });
  const it = harness({ workloads: [caller, ...bookinfoWorkloads()], instances: [instance("other")] });
  it.translator.preview("default/caller-1");
  const before = new Set(it.maps("default/caller-1").get(TYPE_URL.listener)?.keys());
  it.state.setCatalog("consul", "default", "more", [instance("more")]);
  const built = it.publish().filter((key) => key.startsWith("listener/"));
  const after = [...(it.maps("default/caller-1").get(TYPE_URL.listener)?.keys() ?? [])];
  const [own, ...others] = after.filter((name) => !before.has(name));
  assert.ok(own !== undefined && others.length === 0);
  assert.deepEqual(
    built.map((key) => key.includes(own)),
    [true],
  );
});

test("clusters, assignments, routes and listeners that depend on no node are built once for all", () => {
  const it = harness();
  const shared = "outbound|9080||ratings.default.svc.cluster.local";
  const one = it.maps("default/reviews-v1");
  const other = it.maps("default/reviews-v2");
  for (const type of [TYPE_URL.cluster, TYPE_URL.endpoints]) {
    assert.ok(one.get(type)?.get(shared));
    assert.equal(one.get(type)?.get(shared), other.get(type)?.get(shared));
  }
  const listener = "127.0.0.1_9083";
  assert.equal(one.get(TYPE_URL.listener)?.get(listener), other.get(TYPE_URL.listener)?.get(listener));
});

test("a policy of another workload rebuilds listeners, which come out as they were", () => {
  const it = harness();
  const before = it.maps("default/ratings-1");
  const list = objects(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p }
spec: { selector: { matchLabels: { app: details } }, action: ALLOW }
`);
  it.state.setConfig(added(list), 1);
  assert.ok(it.publish().every((key) => key.startsWith("listener/")));
  assert.equal(
    it.maps("default/ratings-1").get(TYPE_URL.listener),
    before.get(TYPE_URL.listener),
    "unchanged content is the same object",
  );
});

test("the version of a resource is its content, on every server", () => {
  const versions = (workloads: readonly PlacedWorkload[]): readonly string[] =>
    [
      ...harness({ workloads, yaml: canary(90) })
        .maps(PRODUCTPAGE)
        .values(),
    ].flatMap((map) => [...map.values()].map(({ name, version }) => `${name} ${version}`));
  const forward = versions(bookinfoWorkloads());
  assert.ok(forward.length > 10);
  assert.deepEqual(versions(bookinfoWorkloads().toReversed()), forward);
});

test("a workload that goes is no longer served, and comes back", () => {
  const it = harness();
  const [page] = bookinfoWorkloads();
  assert.ok(page);
  it.state.setWorkloads([{ id: PRODUCTPAGE, workload: undefined }]);
  it.publish();
  assert.equal(it.translator.preview(PRODUCTPAGE), undefined);
  it.state.setWorkloads([{ id: PRODUCTPAGE, workload: page }]);
  it.publish();
  assert.ok(it.maps(PRODUCTPAGE).get(TYPE_URL.cluster)?.size);
});

test("a node is answered only when its id names the workload that it is authenticated for", () => {
  const { translator } = harness();
  const id = nodeId("10.0.0.1", "productpage-1", "default", "cluster.local");
  assert.ok(translator.resourcesFor({ id, workload: PRODUCTPAGE }));
  assert.equal(translator.resourcesFor({ id, workload: "default/ratings-1" }), undefined);
  assert.equal(translator.resourcesFor({ id: "rubbish", workload: PRODUCTPAGE }), undefined);
});

test("listeners hear of each snapshot, and what did not change is at that snapshot too", () => {
  const it = harness();
  const heard: number[] = [];
  const listening = new AbortController();
  it.translator.onPublish((snapshot) => heard.push(snapshot), listening.signal);
  it.state.setWorkloads([{ id: "default/new", workload: workload("new", { name: "new" }) }]);
  it.publish();
  assert.deepEqual(heard, [2]);
  assert.equal(it.translator.preview(PRODUCTPAGE)?.snapshot, 2);
  listening.abort();
  it.publish();
  assert.deepEqual(heard, [2]);
});

test("a workload whose translation fails keeps what it had; the others go on, and the report says why", () => {
  const it = harness();
  const [page] = bookinfoWorkloads();
  assert.ok(page);
  const before = it.maps(PRODUCTPAGE);
  // No parser lets such a value through: it stands for a mistake in the translation itself.
  const broken = { ...page, ports: [port({ app: undefined as never })] };
  it.state.setWorkloads([
    { id: PRODUCTPAGE, workload: broken },
    { id: "default/details-1", workload: workload("details", { healthy: false }) },
  ]);
  const { snapshot, changed } = it.state.next();
  const report = it.translator.publish(snapshot, changed);
  assert.deepEqual(
    report.failures.map(({ workload: id, code }) => [id, code]),
    [[PRODUCTPAGE, "internal"]],
  );
  assert.equal(it.maps(PRODUCTPAGE), before);
  assert.equal(it.translator.preview(PRODUCTPAGE)?.snapshot, 1);
  assert.equal(it.translator.preview("default/ratings-1")?.snapshot, 2);
  it.state.setWorkloads([{ id: PRODUCTPAGE, workload: page }]);
  const recovered = it.state.next();
  assert.deepEqual(it.translator.publish(recovered.snapshot, recovered.changed).failures, []);
  assert.equal(it.translator.preview(PRODUCTPAGE)?.snapshot, 3);
});

test("what a class shares is tried once for a snapshot, and who came while it failed is served when it is repaired", () => {
  const workloads = Array.from({ length: 5 }, (_, index) =>
    workload("page", { name: `page-${index}`, discovery: "mesh", vips: "loopback" }),
  );
  const sound = instance("db");
  const it = harness({ workloads, instances: [sound] });
  const snapshots = (): readonly (number | undefined)[] =>
    workloads.map(({ name }) => it.translator.preview(`default/${name}`)?.snapshot);
  it.translator.preview("default/page-0");
  // No registry has such a weight: it stands for a mistake in the translation of endpoints.
  it.state.setCatalog("consul", "default", "db", [{ ...sound, weight: 1n as never }]);
  it.publish();
  assert.deepEqual(snapshots(), [1, undefined, undefined, undefined, undefined]);
  assert.equal(it.built.filter((key) => key.startsWith("assignment/outbound|9080||db.")).length, 1);
  it.state.setCatalog("consul", "default", "db", [sound]);
  it.publish();
  assert.deepEqual(snapshots(), [3, 3, 3, 3, 3]);
});

test("an upstream that names no port leads to the service's first one, whichever that is now", () => {
  const page = workload("page", {
    upstreams: [{ host: "later", port: 0, bind: { address: "127.0.0.1", port: 15_100 } }],
  });
  const it = harness({ workloads: [page] });
  const routes = (): readonly string[] => [...(it.maps("default/page-1").get(TYPE_URL.route)?.keys() ?? [])];
  it.publish();
  assert.deepEqual(routes(), []);
  for (const servicePort of [9080, 8080]) {
    const [port] = workload("later").ports;
    assert.ok(port);
    const later = workload("later", { ports: [{ ...port, servicePort }] });
    it.state.setWorkloads([
      { id: "default/page-1", workload: page },
      { id: "default/later-1", workload: later },
    ]);
    it.publish();
    assert.deepEqual(routes(), [`later.default.svc.cluster.local:${servicePort}`]);
    const clusters = [...(it.maps("default/page-1").get(TYPE_URL.cluster)?.keys() ?? [])];
    assert.ok(clusters.includes(`outbound|${servicePort}||later.default.svc.cluster.local`), clusters.join());
  }
});

test("an upstream that does not exist gets a listener that closes, a warning, and the real one once it comes", () => {
  const page = workload("page", {
    upstreams: [{ host: "later", port: 9080, bind: { address: "127.0.0.1", port: 9090 } }],
  });
  const it = harness({ workloads: [page, ...bookinfoWorkloads()] });
  it.translator.preview("default/page-1");
  const { snapshot } = it.state.next();
  const { warnings } = it.translator.publish(snapshot, new Set());
  assert.match(warnings.map(({ message }) => message).join(), /upstream later:9080 leads nowhere/);
  assert.equal(it.maps("default/page-1").get(TYPE_URL.route)?.size, 0);
  it.state.setWorkloads([{ id: "default/later-1", workload: workload("later") }]);
  it.publish();
  assert.deepEqual(
    [...(it.maps("default/page-1").get(TYPE_URL.route)?.keys() ?? [])],
    ["later.default.svc.cluster.local:9080"],
  );
});

const COLLECTED = `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec:
  extensionProviders: [{ name: otlp, opentelemetry: { service: otel.default.svc.cluster.local, port: 4317 } }]
  defaultProviders: { tracing: [otlp] }
`;
const grpc = [port({ name: "grpc", protocol: "grpc", servicePort: 4317 })];

test("a collector that moves is told once for all who tell it, and rebuilds nobody's own resources", () => {
  const callers = ["one", "two", "three"].map((name) =>
    workload("caller", { name, discovery: "mesh", ports: [] }),
  );
  const collector = workload("otel", { ports: grpc });
  const it = harness({ workloads: [...callers, collector], yaml: COLLECTED });
  const ids = callers.map(({ name }) => `default/${name}`);
  for (const id of ids) {
    const clusters = it.maps(id).get(TYPE_URL.cluster);
    assert.ok(clusters?.has("outbound|4317||otel.default.svc.cluster.local"), id);
  }
  const before = new Map(ids.map((id) => [id, it.maps(id)]));
  it.state.setWorkloads([{ id: "default/otel-1", workload: { ...collector, healthy: false } }]);
  it.publish();
  const built = [...it.built];
  for (const id of ids) {
    for (const [type, map] of it.maps(id)) {
      assert.equal(map === before.get(id)?.get(type), type !== TYPE_URL.endpoints, `${id} ${type}`);
    }
  }
  assert.deepEqual(
    built.filter((key) => key.startsWith("own/")),
    [],
  );
});

test("a collector that a proxy has only for itself moves, and nothing of the workload's is made again", () => {
  const collector = workload("otel", { ports: grpc });
  const it = harness({ workloads: [...bookinfoWorkloads(), collector], yaml: COLLECTED });
  it.state.setWorkloads([{ id: "default/otel-1", workload: { ...collector, healthy: false } }]);
  it.publish();
  it.maps(PRODUCTPAGE);
  assert.ok(it.built.includes(`own/${PRODUCTPAGE}`));
  assert.deepEqual(
    it.built.filter((key) => key.startsWith("made/")),
    [],
  );
});

test("instances of a service share their listeners, also those that tell spans", () => {
  const callers = ["one", "two"].map((name) =>
    workload("caller", { name, labels: {}, discovery: "mesh", ports: [] }),
  );
  const it = harness({
    workloads: [
      ...callers,
      workload("otel", { ports: grpc }),
      workload("ledger", { ports: [port({ name: "tcp", protocol: "tcp", servicePort: 9090 })] }),
    ],
    yaml: COLLECTED,
  });
  const [one, two] = callers.map(({ name }) => it.maps(`default/${name}`).get(TYPE_URL.listener));
  assert.ok(one && one.size > 0);
  for (const [name, listener] of one) assert.equal(two?.get(name), listener, name);
});
