import assert from "node:assert/strict";
import { test } from "node:test";
import { type SampleParts, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { patchesKey, selectPatches } from "./envoy-filters.ts";

interface Filter {
  readonly name: string;
  readonly namespace?: string;
  readonly spec?: object;
  readonly match?: object;
}

function yamlOf({ name, namespace = "default", spec = {}, match = {} }: Filter): string {
  return JSON.stringify({
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name, namespace },
    spec: { configPatches: [{ applyTo: "CLUSTER", match, patch: { operation: "REMOVE" } }], ...spec },
  });
}

const reviews = workload("reviews", { labels: { app: "reviews", version: "v1" } });

const cases: readonly {
  readonly name: string;
  /** The first is the oldest. */
  readonly filters: readonly Filter[];
  readonly workload?: Partial<typeof reviews>;
  readonly want: readonly string[];
}[] = [
  {
    name: "of the root namespace and the workload's own, no others",
    filters: [{ name: "a", namespace: "istio-system" }, { name: "b" }, { name: "c", namespace: "other" }],
    want: ["istio-system/a", "default/b"],
  },
  {
    name: "the root namespace's first, then the oldest",
    filters: [{ name: "z" }, { name: "a" }, { name: "root", namespace: "istio-system" }],
    want: ["istio-system/root", "default/z", "default/a"],
  },
  {
    name: "by priority before all else",
    filters: [
      { name: "late", namespace: "istio-system", spec: { priority: 5 } },
      { name: "middle" },
      { name: "early", spec: { priority: -5 } },
    ],
    want: ["default/early", "default/middle", "istio-system/late"],
  },
  {
    name: "a workload of the root namespace has them once",
    filters: [{ name: "a", namespace: "istio-system" }],
    workload: { namespace: "istio-system" },
    want: ["istio-system/a"],
  },
  {
    name: "those that select it: all labels have to be there",
    filters: [
      { name: "a", spec: { workloadSelector: { labels: { app: "reviews", version: "v1" } } } },
      { name: "b", spec: { workloadSelector: { labels: { app: "reviews", version: "v2" } } } },
      { name: "c", namespace: "istio-system", spec: { workloadSelector: { labels: { app: "reviews" } } } },
    ],
    want: ["istio-system/c", "default/a"],
  },
  {
    name: "a sidecar has no patches of gateways",
    filters: [
      { name: "any", match: { context: "ANY" } },
      { name: "in", match: { context: "SIDECAR_INBOUND" } },
      { name: "out", match: { context: "SIDECAR_OUTBOUND" } },
      { name: "gateway", match: { context: "GATEWAY" } },
    ],
    want: ["default/any", "default/in", "default/out"],
  },
  {
    name: "a gateway has none of sidecars",
    filters: [
      { name: "any", match: { context: "ANY" } },
      { name: "in", match: { context: "SIDECAR_INBOUND" } },
      { name: "gateway", match: { context: "GATEWAY" } },
    ],
    workload: { role: "gateway" },
    want: ["default/any", "default/gateway"],
  },
  {
    name: "by the version of Istio that the proxies stand for",
    filters: [
      { name: "now", match: { proxy: { proxyVersion: "^1\\.31.*" } } },
      { name: "then", match: { proxy: { proxyVersion: "^1\\.1[0-9].*" } } },
      { name: "anywhere", match: { proxy: { proxyVersion: "31" } } },
    ],
    want: ["default/now", "default/anywhere"],
  },
  {
    name: "by the node's metadata, all of it",
    filters: [
      { name: "a", match: { proxy: { metadata: { NAMESPACE: "default", SERVICE_ACCOUNT: "reviews" } } } },
      { name: "b", match: { proxy: { metadata: { NAMESPACE: "default", NAME: "other" } } } },
      { name: "c", match: { proxy: { metadata: { NO_SUCH: "x" } } } },
    ],
    want: ["default/a"],
  },
];

function select(
  filters: readonly Filter[],
  over: Partial<typeof reviews> = {},
): ReturnType<typeof selectPatches> {
  const one = { ...reviews, ...over };
  const parts: SampleParts = { yaml: filters.map(yamlOf).join("\n---\n"), workloads: [one] };
  return selectPatches(viewOf(sampleState(parts).next().snapshot), one);
}

for (const { name, filters, workload: over, want } of cases) {
  test(`EnvoyFilters of a workload: ${name}`, () => {
    const names = select(filters, over).map(
      ({ filter: { metadata } }) => `${metadata.namespace}/${metadata.name}`,
    );
    assert.deepEqual(names, want);
  });
}

test("the metadata that a ProxyConfig gives is looked at", () => {
  const proxyConfig = {
    apiVersion: "networking.istio.io/v1beta1",
    kind: "ProxyConfig",
    metadata: { name: "p", namespace: "default" },
    spec: { environmentVariables: { ISTIO_META_TIER: "gold" } },
  };
  const filter = yamlOf({ name: "gold", match: { proxy: { metadata: { TIER: "gold" } } } });
  const counts = [filter, `${filter}\n---\n${JSON.stringify(proxyConfig)}`].map(
    (yaml) => selectPatches(viewOf(sampleState({ yaml }).next().snapshot), reviews).length,
  );
  assert.deepEqual(counts, [0, 1]);
});

test("patches are told apart by object, revision and place", () => {
  const patch = { applyTo: "CLUSTER", patch: { operation: "REMOVE" } };
  const key = patchesKey(select([{ name: "a", spec: { configPatches: [patch, patch] } }]));
  assert.equal(key, "default/a@1:0,default/a@1:1");
});
