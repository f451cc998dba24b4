import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { workloadId } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import {
  added,
  bookinfoWorkloads,
  instance,
  objects,
  sampleState,
  workload,
} from "../../../test/fakes/sample-mesh.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { MeshState } from "../../snapshot/mesh-state.ts";
import type { PublishReport } from "../../snapshot/publish-report.ts";
import { createTranslator } from "../translator.ts";
import { types } from "./testing/base-resources.ts";
import { lua, patch } from "./testing/patch-case.ts";

const REVIEWS = "outbound|9080||reviews.default.svc.cluster.local";
const RATINGS = "outbound|9080||ratings.default.svc.cluster.local";

function envoyFilter(configPatches: readonly object[], spec: object = {}, name = "filter"): StoredObject {
  const [object] = objects(
    JSON.stringify({
      apiVersion: "networking.istio.io/v1alpha3",
      kind: "EnvoyFilter",
      metadata: { name },
      spec: { configPatches, ...spec },
    }),
    1000,
  );
  assert.ok(object);
  return object;
}

const TIMEOUT = patch("CLUSTER", "MERGE", { context: "SIDECAR_OUTBOUND" }, { connect_timeout: "7s" });

interface Mesh {
  readonly state: MeshState;
  /** Publishes what has changed; what was built. */
  publish(): { readonly built: readonly string[]; readonly report: PublishReport };
  readonly get: (id: string, type: TypeUrl, name: string) => EncodedResource | undefined;
  map(id: string, type: TypeUrl): ReadonlyMap<string, EncodedResource>;
}

/** Bookinfo, whose workloads see the whole mesh; two productpages are of one class. */
function mesh(...filters: readonly StoredObject[]): Mesh {
  const built: string[] = [];
  const translator = createTranslator({ messageTypes: types, onBuild: (key) => built.push(key) });
  const workloads = bookinfoWorkloads().map((one) => ({
    ...one,
    discovery: "mesh" as const,
    interception: "redirect" as const,
  }));
  const [page] = workloads;
  assert.ok(page);
  const state = sampleState({ workloads: [...workloads, { ...page, name: "productpage-2" }] });
  state.setConfig(added(filters), 1);
  const publish: Mesh["publish"] = () => {
    built.length = 0;
    const { snapshot, changed } = state.next();
    translator.publish(snapshot, changed);
    for (const id of snapshot.workloads.keys()) translator.preview(id);
    return { built: [...built], report: translator.publish(snapshot, new Set()) };
  };
  publish();
  const map: Mesh["map"] = (id, type) => {
    const found = translator.preview(id)?.types.get(type);
    assert.ok(found, `${id} has ${type}`);
    return found;
  };
  return { state, publish, map, get: (id, type, name) => map(id, type).get(name) };
}

function timeoutOf(resource: EncodedResource | undefined): number | undefined {
  return resource && Cluster.decode(resource.bytes).connectTimeout?.seconds;
}

test("a workload that no EnvoyFilter is for shares what it shared before", () => {
  const plain = mesh();
  const other = mesh(envoyFilter([TIMEOUT], { workloadSelector: { labels: { app: "details" } } }));
  const id = "default/ratings-1";
  for (const type of [TYPE_URL.cluster, TYPE_URL.listener, TYPE_URL.route]) {
    const versions = (one: Mesh): readonly string[] =>
      [...one.map(id, type).values()].map(({ name, version }) => `${name} ${version}`).sort();
    assert.deepEqual(versions(other), versions(plain));
  }
  const keys = other.publish().built;
  assert.deepEqual(keys, [], "nothing is built again when nothing has changed");
  assert.equal(timeoutOf(other.get("default/details-1", TYPE_URL.cluster, REVIEWS)), 7);
  assert.equal(timeoutOf(other.get(id, TYPE_URL.cluster, REVIEWS)), 10);
});

test("workloads of one class and with the same filters share what was patched", () => {
  const { get } = mesh(envoyFilter([TIMEOUT]));
  const [a, b] = ["default/productpage-1", "default/productpage-2"].map((id) =>
    get(id, TYPE_URL.cluster, REVIEWS),
  );
  assert.equal(timeoutOf(a), 7);
  assert.equal(a, b, "the same object");
});

test("endpoints are not patched, and their changes patch nothing", () => {
  const it = mesh(envoyFilter([TIMEOUT]));
  const reviewsAt = (address: string): void =>
    it.state.setCatalog("consul", "default", "reviews", [instance("reviews", { id: "c1", address })]);
  reviewsAt("10.9.9.8");
  it.publish();
  const before = it.map("default/productpage-1", TYPE_URL.cluster);
  reviewsAt("10.9.9.9");
  const { built } = it.publish();
  assert.ok(
    built.some((key) => key.startsWith("assignment")),
    "the endpoints are built",
  );
  assert.deepEqual(
    built.filter((key) => key.startsWith("patched/") || key.startsWith("patched-own/")),
    [],
  );
  assert.equal(it.map("default/productpage-1", TYPE_URL.cluster), before);
});

test("a change of one service patches its clusters and no others", () => {
  const it = mesh(envoyFilter([TIMEOUT]));
  const before = new Map(it.map("default/productpage-1", TYPE_URL.cluster));
  const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM } } }
`;
  it.state.setConfig(added(objects(rule, 2000)), 2);
  it.publish();
  const after = it.map("default/productpage-1", TYPE_URL.cluster);
  const changed = [...after].filter(([name, resource]) => before.get(name) !== resource);
  assert.deepEqual(
    changed.map(([name]) => name),
    [REVIEWS],
  );
  assert.equal(timeoutOf(after.get(REVIEWS)), 7);
});

test("a filter that goes leaves what there was without it", () => {
  const filter = envoyFilter([TIMEOUT, patch("CLUSTER", "ADD", {}, { name: "extra" })]);
  const it = mesh(filter);
  assert.ok(it.get("default/ratings-1", TYPE_URL.cluster, "extra"));
  it.state.setConfig([{ key: keyOf(filter), before: filter, after: undefined }], 2);
  it.publish();
  assert.equal(it.get("default/ratings-1", TYPE_URL.cluster, "extra"), undefined);
  assert.equal(timeoutOf(it.get("default/ratings-1", TYPE_URL.cluster, RATINGS)), 10);
});

test("inbound and outbound are told apart, in what is shared and in what is the workload's own", () => {
  const { get } = mesh(
    envoyFilter([
      patch("CLUSTER", "MERGE", { context: "SIDECAR_INBOUND" }, { connect_timeout: "3s" }),
      patch(
        "CLUSTER",
        "MERGE",
        { context: "SIDECAR_INBOUND", cluster: { service: "ratings.default.svc.cluster.local" } },
        { connect_timeout: "4s" },
      ),
    ]),
  );
  const timeouts = ["inbound|9080||", "InboundPassthroughCluster", RATINGS].map((name) =>
    timeoutOf(get("default/ratings-1", TYPE_URL.cluster, name)),
  );
  assert.deepEqual(timeouts, [4, 3, 10]);
  assert.equal(timeoutOf(get("default/details-1", TYPE_URL.cluster, "inbound|9080||")), 3);
});

test("a gateway has the patches of gateways", () => {
  const edge = workload("edge", {
    role: "gateway",
    discovery: "mesh",
    labels: { istio: "ingress" },
    ports: [],
  });
  const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingress }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`;
  const it = mesh(
    envoyFilter([patch("HTTP_FILTER", "INSERT_FIRST", { context: "GATEWAY" }, lua())]),
    ...objects(gateway),
  );
  it.state.setWorkloads([{ id: workloadId(edge), workload: edge }]);
  it.publish();
  const [listener] = it.map("default/edge-1", TYPE_URL.listener).values();
  assert.match(Buffer.from(listener?.bytes ?? []).toString("latin1"), /envoy\.filters\.http\.lua/);
});

test("extensions are served where there are some, and nowhere else", () => {
  const config = {
    name: "mine",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua" },
  };
  const { get } = mesh(
    envoyFilter([patch("EXTENSION_CONFIG", "ADD", {}, config)], {
      workloadSelector: { labels: { app: "details" } },
    }),
  );
  assert.ok(get("default/details-1", TYPE_URL.extension, "mine"));
  assert.throws(() => get("default/ratings-1", TYPE_URL.extension, "mine"), /has/);
});

const troubles: readonly {
  readonly name: string;
  readonly patches: readonly object[];
  readonly want: RegExp;
}[] = [
  {
    name: "a value that is no message",
    patches: [patch("CLUSTER", "MERGE", {}, { connect_timeout: "soon" }), TIMEOUT],
    want: /^spec\.configPatches\[0\] is not applied: .*Duration/,
  },
  {
    name: "a filter that cannot be merged, told once for all listeners",
    patches: [
      TIMEOUT,
      patch(
        "NETWORK_FILTER",
        "MERGE",
        { context: "SIDECAR_OUTBOUND" },
        {
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" },
        },
      ),
    ],
    want: /^spec\.configPatches\[1\] is not applied to .* and \d+ more: .*Echo cannot be merged into/,
  },
  {
    name: "a cluster that there is already",
    patches: [TIMEOUT, patch("CLUSTER", "ADD", {}, { name: REVIEWS })],
    want: /^spec\.configPatches\[1\] is not applied to outbound\|9080\|\|reviews.*there is one of that name/,
  },
  {
    name: "a cluster that routes lead to",
    patches: [
      TIMEOUT,
      patch("CLUSTER", "REMOVE", { cluster: { service: "ratings.default.svc.cluster.local" } }),
    ],
    want: /^leads to what is not there: route .* refers to cluster outbound\|9080\|\|ratings/,
  },
];

for (const { name, patches, want } of troubles) {
  test(`a patch in trouble is a warning and no failure: ${name}`, () => {
    const it = mesh(envoyFilter(patches));
    const { report } = it.publish();
    assert.deepEqual(report.failures, []);
    const told = report.warnings.filter(({ subject }) => subject === "EnvoyFilter/default/filter");
    assert.ok(
      told.some(({ message }) => want.test(message)),
      JSON.stringify(told),
    );
    assert.equal(timeoutOf(it.get("default/productpage-1", TYPE_URL.cluster, REVIEWS)), 7);
  });
}
