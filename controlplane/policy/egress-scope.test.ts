import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { meshScope, sidecarScope } from "./egress-scope.ts";
import { sidecarFor } from "./sidecars.ts";

function entry(host: string, namespace: string, exportTo = "", port = 80): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.replaceAll("*", "any").replaceAll(".", "-")}, namespace: ${namespace} }
spec:
  hosts: ["${host}"]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: ${port}, name: http, protocol: HTTP }]
  ${exportTo === "" ? "" : `exportTo: [${exportTo}]`}
---`;
}

const SERVICES = [
  entry("a.shop.svc.cluster.local", "shop"),
  entry("b.shop.svc.cluster.local", "shop", '"."', 81),
  entry("c.bank.svc.cluster.local", "bank"),
  entry("d.bank.svc.cluster.local", "bank", '"."'),
  entry("e.bank.svc.cluster.local", "bank", "shop"),
  entry("f.bank.svc.cluster.local", "bank", '"~"'),
  entry("www.example.com", "world"),
].join("\n");

const short = (hosts: readonly string[]): string => hosts.map((host) => host.split(".")[0]).join(" ");

test("without a Sidecar a namespace reaches all that is exported to it, oldest first", () => {
  const view = viewOf(sampleState({ yaml: SERVICES }).next().snapshot);
  const hostsOf = (namespace: string): string => short(meshScope(view, namespace).listeners[0]?.hosts ?? []);
  assert.equal(hostsOf("shop"), "a b c e www");
  assert.equal(hostsOf("bank"), "a c d www");
  assert.equal(hostsOf("other"), "a c www");
});

test("the mesh's default for exportTo holds for services that say nothing", () => {
  const yaml = `${SERVICES}
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { defaultServiceExportTo: ["."] }
`;
  const view = viewOf(sampleState({ yaml }).next().snapshot);
  assert.equal(short(meshScope(view, "shop").listeners[0]?.hosts ?? []), "a b e");
});

/** Egress hosts of a Sidecar in `shop`, and what they bring in for each listener. */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['[{ hosts: ["*/*"] }]', ["a b c e www"]],
  ['[{ hosts: ["./*"] }]', ["a b"]],
  ['[{ hosts: ["bank/*"] }]', ["c e"]],
  ['[{ hosts: ["bank/c.bank.svc.cluster.local"] }]', ["c"]],
  ['[{ hosts: ["bank/c.bank.mesh"] }]', ["c"]],
  ['[{ hosts: ["*/*.bank.svc.cluster.local"] }]', ["c e"]],
  ['[{ hosts: ["~/*"] }]', [""]],
  ['[{ hosts: ["*/*.example.com"] }]', ["www"]],
  ['[{ hosts: ["*/*", "~bank/*"] }]', ["a b www"]],
  ['[{ hosts: ["*/*", "~*/*.bank.svc.cluster.local", "~./b.shop"] }]', ["a www"]],
  ['[{ hosts: ["~bank/*"] }]', [""]],
  ['[{ hosts: ["*/*.com", "./a.shop"] }]', ["a www"]],
  [
    '[{ port: { number: 81, protocol: HTTP, name: http }, hosts: ["*/*"] }, { hosts: ["bank/*"] }]',
    ["b", "c e"],
  ],
];
for (const [egress, want] of CASES) {
  test(`a Sidecar with the egress ${egress} reaches ${want.join(" | ") || "nothing"}`, () => {
    const yaml = `${SERVICES}
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: shop }
spec: { egress: ${egress} }
`;
    const view = viewOf(sampleState({ yaml }).next().snapshot);
    const sidecar = sidecarFor(view, { namespace: "shop", labels: {} });
    assert.ok(sidecar);
    assert.deepEqual(
      sidecarScope(view, sidecar, "shop").listeners.map(({ hosts }) => short(hosts)),
      want,
    );
  });
}

test("the Sidecar in force: of the workload's labels, of its namespace, of the root namespace; the oldest of each", () => {
  const sidecar = (name: string, namespace: string, selector = ""): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  ${selector === "" ? "" : `workloadSelector: { labels: ${selector} }`}
  egress: [{ hosts: ["./*"] }]
---`;
  const yaml = [
    sidecar("root", "istio-system"),
    sidecar("all", "shop"),
    sidecar("later", "shop"),
    sidecar("web", "shop", "{ app: web }"),
    sidecar("web-too", "shop", "{ app: web }"),
  ].join("\n");
  const view = viewOf(sampleState({ yaml }).next().snapshot);
  const nameFor = (namespace: string, app: string): string | undefined =>
    sidecarFor(view, { namespace, labels: { app } })?.metadata.name;
  assert.equal(nameFor("shop", "web"), "web");
  assert.equal(nameFor("shop", "api"), "all");
  assert.equal(nameFor("bank", "web"), "root");
});
