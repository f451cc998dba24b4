import assert from "node:assert/strict";
import { test } from "node:test";
import { meshConfigSpec } from "../../mesh/model/mesh-config.schema.ts";
import { objects } from "../../test/fakes/sample-mesh.ts";
import { fileSnapshot } from "./file-state.ts";

function meshConfig(trustDomain: string): string {
  return `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { trustDomain: ${trustDomain} }
`;
}

/** What the trust domain of files is, by the MeshConfig among them and by the one of `--mesh-config`. */
const cases: readonly (readonly [among: string, beside: string, want: string])[] = [
  ["", "", "cluster.local"],
  ["", "beside.example", "beside.example"],
  ["among.example", "", "among.example"],
  ["among.example", "beside.example", "among.example"],
];
for (const [among, beside, want] of cases) {
  test(`the trust domain is ${want}: a document says ${among || "none"}, --mesh-config ${beside || "none"}`, () => {
    const mesh = beside === "" ? undefined : meshConfigSpec.parse({ trustDomain: beside });
    const { snapshot } = fileSnapshot(among === "" ? [] : objects(meshConfig(among)), mesh);
    assert.equal(snapshot.settings.trustDomain, want);
  });
}
