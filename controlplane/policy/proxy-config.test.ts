import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { type EffectiveProxyConfig, proxyConfigFor } from "./proxy-config.ts";

function proxyConfig(name: string, namespace: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;
}

const MESH = `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { defaultConfig: { concurrency: 1 } }
`;
const ROOT = proxyConfig(
  "root",
  "istio-system",
  "{ concurrency: 2, environmentVariables: { A: root, B: root } }",
);
const NAMESPACE = proxyConfig("all", "default", "{ concurrency: 3, environmentVariables: { B: namespace } }");
const OWN = proxyConfig("own", "default", "{ selector: { matchLabels: { app: reviews } }, concurrency: 4 }");

const cases: readonly {
  readonly name: string;
  /** The first is the oldest. */
  readonly yaml: readonly string[];
  readonly want: Partial<EffectiveProxyConfig>;
}[] = [
  { name: "nothing is said", yaml: [], want: { concurrency: undefined, environmentVariables: {} } },
  { name: "the mesh's defaults", yaml: [MESH], want: { concurrency: 1 } },
  { name: "the root namespace's", yaml: [MESH, ROOT], want: { concurrency: 2 } },
  { name: "the namespace's, whatever is older", yaml: [MESH, ROOT, NAMESPACE], want: { concurrency: 3 } },
  {
    name: "the workload's own, and the rest of what the others say",
    yaml: [MESH, OWN, ROOT, NAMESPACE],
    want: { concurrency: 4, environmentVariables: { A: "root", B: "namespace" } },
  },
  {
    name: "of two of one scope the older",
    yaml: [NAMESPACE, proxyConfig("younger", "default", "{ concurrency: 9 }")],
    want: { concurrency: 3 },
  },
  {
    name: "a selector that selects others",
    yaml: [proxyConfig("other", "default", "{ selector: { matchLabels: { app: x } }, concurrency: 9 }")],
    want: { concurrency: undefined },
  },
  {
    name: "a selector of the root namespace is for its own workloads",
    yaml: [
      proxyConfig("other", "istio-system", "{ selector: { matchLabels: { app: reviews } }, concurrency: 9 }"),
    ],
    want: { concurrency: undefined },
  },
  {
    name: "another namespace's",
    yaml: [proxyConfig("other", "elsewhere", "{ concurrency: 9 }")],
    want: { concurrency: undefined },
  },
  {
    name: "0 is said too",
    yaml: [MESH, proxyConfig("all", "default", "{ concurrency: 0 }")],
    want: { concurrency: 0 },
  },
];

for (const { name, yaml, want } of cases) {
  test(`ProxyConfig of a workload: ${name}`, () => {
    const view = viewOf(sampleState({ yaml: yaml.join("---\n") }).next().snapshot);
    const got = proxyConfigFor(view, workload("reviews"));
    assert.deepEqual({ ...got, ...want }, got);
  });
}
