import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";
import { type Direction, destinationPolicy, findDestinationRules } from "./destination-rules.ts";

const service = { hostname: "reviews.default.svc.cluster.local", namespace: "default" };

function view(yaml: string): SnapshotView {
  return viewOf(sampleState({ yaml }).next().snapshot);
}

function rule(name: string, namespace: string, spec = ""): string {
  const host = spec.includes("host:") ? "" : `host: ${service.hostname},`;
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${host} ${spec} }
---`;
}

function meshConfig(spec: string): string {
  return `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { ${spec} }
---`;
}

const lookups: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly from?: string;
  readonly labels?: Record<string, string>;
  readonly mesh?: string;
  readonly direction?: Direction;
  readonly want: readonly string[];
}[] = [
  { name: "none", yaml: rule("a", "elsewhere"), want: [] },
  {
    name: "the client's namespace before the service's before the root",
    yaml: rule("r", "istio-system") + rule("s", "default") + rule("c", "shop"),
    want: ["c"],
  },
  {
    name: "the service's namespace before the root",
    yaml: rule("r", "istio-system") + rule("s", "default"),
    want: ["s"],
  },
  { name: "the root", yaml: rule("r", "istio-system"), want: ["r"] },
  {
    name: "a client in the root namespace starts with the service's",
    yaml: rule("r", "istio-system") + rule("s", "default"),
    from: "istio-system",
    want: ["s"],
  },
  {
    name: "not exported is not seen from elsewhere",
    yaml: rule("s", "default", 'exportTo: ["."]') + rule("r", "istio-system", "exportTo: [other]"),
    want: [],
  },
  {
    name: "private rules count in the own namespace",
    yaml: rule("c", "shop", 'exportTo: ["."]'),
    want: ["c"],
  },
  {
    name: "the most specific host of a namespace",
    yaml: rule("wild", "shop", 'host: "*.default.svc.cluster.local"') + rule("exact", "shop"),
    want: ["exact"],
  },
  {
    name: "a wildcard of the own namespace before an exact host elsewhere",
    yaml: rule("s", "default") + rule("wild", "shop", 'host: "*.local"'),
    want: ["wild"],
  },
  { name: "all of one host and namespace", yaml: rule("b", "shop") + rule("a", "shop"), want: ["b", "a"] },
  {
    name: "a client in the root namespace has what is private there first",
    yaml: rule("r", "istio-system", 'exportTo: ["."]') + rule("s", "default"),
    from: "istio-system",
    want: ["r"],
  },
  {
    name: "a rule that is exported to others only does not count at home",
    yaml: rule("c", "shop", "exportTo: [other]") + rule("s", "default"),
    want: ["s"],
  },
  { name: "exported to the client by name", yaml: rule("s", "default", "exportTo: [shop]"), want: ["s"] },
  {
    name: "by default exported to all",
    yaml: rule("s", "default"),
    mesh: "defaultDestinationRuleExportTo: ['*']",
    want: ["s"],
  },
  {
    name: "by the mesh's default private",
    yaml: rule("s", "default") + rule("r", "istio-system", "exportTo: ['*']"),
    mesh: "defaultDestinationRuleExportTo: ['.']",
    want: ["r"],
  },
  {
    name: "the mesh's default keeps them where they are",
    yaml: rule("c", "shop"),
    mesh: "defaultDestinationRuleExportTo: ['.']",
    want: ["c"],
  },
  {
    name: "the most specific host of a namespace decides, though it is not for this client",
    yaml:
      rule("exact", "default", "exportTo: [other]") +
      rule("wild", "default", 'host: "*.default.svc.cluster.local"'),
    want: [],
  },
  {
    name: "another root namespace",
    yaml: rule("r", "istio-system") + rule("n", "mesh-root"),
    mesh: "rootNamespace: mesh-root",
    want: ["n"],
  },
  {
    name: "rules for the same namespaces are one",
    yaml: rule("a", "default", "exportTo: [shop, x]") + rule("b", "default", "exportTo: [x, shop]"),
    want: ["a", "b"],
  },
  {
    name: "a rule for more namespaces joins one for fewer",
    yaml: rule("a", "default", "exportTo: [shop]") + rule("b", "default", "exportTo: [shop, x]"),
    want: ["a", "b"],
  },
  {
    name: "rules for others apart stand for themselves: of what is seen the youngest",
    yaml: rule("a", "default", "exportTo: [shop, x]") + rule("b", "default", "exportTo: ['*']"),
    want: ["b"],
  },
  {
    name: "selecting rules with different selectors stand for themselves: the oldest that fits",
    yaml:
      rule("a", "shop", "workloadSelector: { matchLabels: { app: web } }") +
      rule("b", "shop", "workloadSelector: { matchLabels: { tier: x } }"),
    labels: { app: "web", tier: "x" },
    want: ["a"],
  },
  {
    name: "selecting rules with the same selector are one",
    yaml:
      rule("a", "shop", "workloadSelector: { matchLabels: { app: web } }") +
      rule("b", "shop", "workloadSelector: { matchLabels: { app: web } }"),
    labels: { app: "web" },
    want: ["a", "b"],
  },
  {
    name: "selecting rules say nothing of how a proxy calls its own application",
    yaml: rule("all", "shop") + rule("web", "shop", "workloadSelector: { matchLabels: { app: web } }"),
    labels: { app: "web" },
    direction: "inbound",
    want: ["all"],
  },
  {
    name: "a selecting rule before an older one without",
    yaml: rule("all", "shop") + rule("web", "shop", "workloadSelector: { matchLabels: { app: web } }"),
    labels: { app: "web" },
    want: ["web"],
  },
  {
    name: "a selecting rule does not count for others",
    yaml: rule("all", "shop") + rule("web", "shop", "workloadSelector: { matchLabels: { app: web } }"),
    want: ["all"],
  },
  {
    name: "a selecting rule of the service's namespace does not count for clients elsewhere",
    yaml: rule("web", "default", "workloadSelector: { matchLabels: { app: web } }"),
    labels: { app: "web" },
    want: [],
  },
];
for (const { name, yaml, from = "shop", labels = {}, mesh, direction, want } of lookups) {
  test(`DestinationRule look-up: ${name}`, () => {
    const all = mesh === undefined ? yaml : yaml + meshConfig(mesh);
    const found = findDestinationRules(view(all), { namespace: from, labels }, service, direction);
    assert.deepEqual(found?.keys.map((key) => key.split("/").at(-1)) ?? [], want);
  });
}

function policyOf(yaml: string): ReturnType<typeof destinationPolicy> {
  const read = view(yaml);
  return destinationPolicy(read, findDestinationRules(read, { namespace: "shop", labels: {} }, service));
}

test("rules of one host are merged: first subset of a name, first traffic policy", () => {
  const { subsets, trafficPolicy } = policyOf(
    rule("a", "shop", "subsets: [{ name: v1, labels: { version: one } }]") +
      rule(
        "b",
        "shop",
        "subsets: [{ name: v1, labels: { version: two } }, { name: v2 }], trafficPolicy: { loadBalancer: { simple: RANDOM } }",
      ) +
      rule("c", "shop", "trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }"),
  );
  assert.deepEqual(
    subsets.map(({ name, labels }) => [name, labels["version"]]),
    [
      ["v1", "one"],
      ["v2", undefined],
    ],
  );
  assert.equal(trafficPolicy?.loadBalancer?.simple, "RANDOM");
});
