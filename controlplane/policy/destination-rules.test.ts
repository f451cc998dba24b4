import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";
import { destinationPolicy, findDestinationRules, portPolicy } from "./destination-rules.ts";

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

const lookups: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly from?: string;
  readonly labels?: Record<string, string>;
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
for (const { name, yaml, from = "shop", labels = {}, want } of lookups) {
  test(`DestinationRule look-up: ${name}`, () => {
    const found = findDestinationRules(view(yaml), { namespace: from, labels }, service);
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

const LAYERS = rule(
  "a",
  "shop",
  `trafficPolicy: {
      loadBalancer: { simple: ROUND_ROBIN },
      connectionPool: { tcp: { maxConnections: 1 } },
      portLevelSettings: [{ port: { number: 90 }, connectionPool: { tcp: { maxConnections: 2 } } }] },
    subsets: [
      { name: plain },
      { name: lb, trafficPolicy: { loadBalancer: { simple: RANDOM } } },
      { name: port, trafficPolicy: {
          loadBalancer: { simple: RANDOM },
          portLevelSettings: [{ port: { number: 90 }, tls: { mode: DISABLE } }] } }]`,
);

const merged: readonly (readonly [string, number, readonly (string | number | undefined)[]])[] = [
  ["", 80, ["ROUND_ROBIN", 1, undefined]],
  ["", 90, [undefined, 2, undefined]],
  ["plain", 80, ["ROUND_ROBIN", 1, undefined]],
  ["plain", 90, [undefined, 2, undefined]],
  ["lb", 80, ["RANDOM", 1, undefined]],
  ["lb", 90, ["RANDOM", 2, undefined]],
  ["port", 80, ["RANDOM", 1, undefined]],
  ["port", 90, [undefined, undefined, "DISABLE"]],
];
for (const [subset, port, want] of merged) {
  test(`the policy of subset "${subset}" at port ${port} is merged block by block`, () => {
    const policy = portPolicy(policyOf(LAYERS), subset, port);
    assert.deepEqual(
      [policy.loadBalancer?.simple, policy.connectionPool?.maxConnections, policy.tls?.mode],
      want,
    );
  });
}
