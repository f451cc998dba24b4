import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { mtlsMode } from "./peer-authentication.ts";

function policy(name: string, namespace: string, spec: string): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec} }
---`;
}

const SELECT = "selector: { matchLabels: { app: web } }";

const cases: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly port?: number;
  readonly mtls?: "strict" | "permissive";
  readonly want: string;
}[] = [
  { name: "nothing said", yaml: "", want: "PERMISSIVE" },
  { name: "the root's", yaml: policy("r", "istio-system", "mtls: { mode: STRICT }"), want: "STRICT" },
  {
    name: "the namespace's before the root's",
    yaml:
      policy("r", "istio-system", "mtls: { mode: STRICT }") +
      policy("n", "default", "mtls: { mode: DISABLE }"),
    want: "DISABLE",
  },
  {
    name: "the workload's before the namespace's",
    yaml:
      policy("n", "default", "mtls: { mode: DISABLE }") +
      policy("w", "default", `${SELECT}, mtls: { mode: STRICT }`),
    want: "STRICT",
  },
  {
    name: "UNSET inherits",
    yaml:
      policy("r", "istio-system", "mtls: { mode: STRICT }") +
      policy("n", "default", "mtls: { mode: UNSET }") +
      policy("w", "default", SELECT),
    want: "STRICT",
  },
  {
    name: "the oldest of a scope",
    yaml:
      policy("z", "default", "mtls: { mode: STRICT }") + policy("a", "default", "mtls: { mode: DISABLE }"),
    want: "STRICT",
  },
  {
    name: "another namespace's does not count",
    yaml: policy("n", "shop", "mtls: { mode: STRICT }"),
    want: "PERMISSIVE",
  },
  {
    name: "a selector that selects others does not count",
    yaml: policy("w", "default", "selector: { matchLabels: { app: db } }, mtls: { mode: STRICT }"),
    want: "PERMISSIVE",
  },
  {
    name: "the port's, by the port that the application listens on",
    yaml: policy(
      "w",
      "default",
      `${SELECT}, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } }`,
    ),
    want: "DISABLE",
  },
  {
    name: "another port has the workload's",
    yaml: policy(
      "w",
      "default",
      `${SELECT}, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } }`,
    ),
    port: 9090,
    want: "STRICT",
  },
  {
    name: "an UNSET port inherits",
    yaml:
      policy("n", "default", "mtls: { mode: STRICT }") +
      policy("w", "default", `${SELECT}, portLevelMtls: { 8080: { mode: UNSET } }`),
    want: "STRICT",
  },
  { name: "strict by its registration", yaml: "", mtls: "strict", want: "STRICT" },
  {
    name: "strict by its registration in a lax namespace",
    yaml: policy("n", "default", "mtls: { mode: PERMISSIVE }"),
    mtls: "strict",
    want: "STRICT",
  },
  {
    name: "its own policy before its registration",
    yaml: policy("w", "default", `${SELECT}, mtls: { mode: PERMISSIVE }`),
    mtls: "strict",
    want: "PERMISSIVE",
  },
  {
    name: "no registration opens what the root closes",
    yaml: policy("r", "istio-system", "mtls: { mode: STRICT }"),
    mtls: "permissive",
    want: "STRICT",
  },
];
for (const { name, yaml, port = 8080, mtls, want } of cases) {
  test(`the mTLS mode of a port: ${name}`, () => {
    const view = viewOf(sampleState({ yaml }).next().snapshot);
    assert.equal(mtlsMode(view, { namespace: "default", labels: { app: "web" }, mtls }, port), want);
  });
}
