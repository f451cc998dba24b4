import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { findDestinationRules } from "./destination-rules.ts";
import { sidecarScope } from "./egress-scope.ts";
import { governingRoutes, meshVirtualServices, type RoutingClient } from "./virtual-services.ts";

/** VirtualServices by name: namespace, and hosts. */
const VIRTUAL_SERVICES: Readonly<Record<string, readonly [namespace: string, hosts: string]>> = {
  own: ["shop", "reviews.bank"],
  bank: ["bank", "reviews"],
  wild: ["bank", '"*.bank.svc.cluster.local"'],
  both: ["net", "www.example.com, api.example.org"],
  all: ["net", '"*.local"'],
};

const yaml = Object.entries(VIRTUAL_SERVICES)
  .map(
    ([name, [namespace, hosts]]) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { hosts: [${hosts}], http: [{ route: [{ destination: { host: reviews.bank.svc.cluster.local } }] }] }
---`,
  )
  .join("");

function sidecar(egress: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: shop }
spec: { egress: ${egress} }
---`;
}

const HOST = "reviews.bank.svc.cluster.local";
const bank = [
  workload("reviews", { namespace: "bank" }),
  workload("ratings", { name: "ratings-1", namespace: "bank" }),
];

/** Clients of `shop`, one for each egress listener of its Sidecar. */
function clients(egress: string, more = "") {
  const view = viewOf(sampleState({ yaml: yaml + more + sidecar(egress), workloads: bank }).next().snapshot);
  const [object] = view.sidecars("shop");
  assert.ok(object);
  const { listeners } = sidecarScope(view, object, "shop");
  return {
    view,
    listeners,
    clients: listeners.map(
      ({ imports }): RoutingClient => ({ namespace: "shop", labels: {}, imports, prefers: [] }),
    ),
  };
}

const PATTERNS = ["*.local", "*.bank.svc.cluster.local", HOST, "www.example.com", "api.example.org"];

const IMPORTED: readonly (readonly [egress: string, want: string])[] = [
  ['[{ hosts: ["*/*"] }]', "all bank both own wild"],
  ['[{ hosts: ["./*"] }]', "own"],
  ['[{ hosts: ["bank/*"] }]', "bank wild"],
  ['[{ hosts: ["bank/reviews.bank.svc.cluster.local"] }]', "bank wild"],
  ['[{ hosts: ["bank/ratings.bank.svc.cluster.local"] }]', "wild"],
  ['[{ hosts: ["bank/reviews.bank"] }]', "bank wild"],
  ['[{ hosts: ["./reviews.bank.svc.cluster.local"] }]', "own"],
  ['[{ hosts: ["*/reviews.bank.svc.cluster.local"] }]', "all bank own wild"],
  ['[{ hosts: ["*/*.example.com"] }]', "both"],
  ['[{ hosts: ["net/api.example.org"] }]', "both"],
  ['[{ hosts: ["~/*"] }]', ""],
  ['[{ hosts: ["~/*", "./*"] }]', "own"],
  // What is taken out: every host that a VirtualService would be imported by.
  ['[{ hosts: ["*/*", "~bank/*"] }]', "all both own"],
  ['[{ hosts: ["*/*", "~*/*.bank.svc.cluster.local"] }]', "all both"],
  ['[{ hosts: ["*/*", "~net/www.example.com"] }]', "all bank both own wild"],
  ['[{ hosts: ["*/*", "~net/www.example.com", "~net/api.example.org"] }]', "all bank own wild"],
  ['[{ hosts: ["*/*", "~./*"] }]', "all bank both wild"],
];
for (const [egress, want] of IMPORTED) {
  test(`of the VirtualServices, the egress ${egress} imports ${want || "none"}`, () => {
    const {
      view,
      clients: [client],
    } = clients(egress);
    assert.ok(client);
    const found = PATTERNS.flatMap((pattern) => meshVirtualServices(view, client, pattern));
    const names = new Set(found.map(({ metadata }) => metadata.name));
    assert.equal([...names].sort().join(" "), want);
  });
}

const GOVERNING: readonly (readonly [egress: string, want: string | undefined])[] = [
  ['[{ hosts: ["*/*"] }]', "own"],
  ['[{ hosts: ["bank/*"] }]', "bank"],
  ['[{ hosts: ["bank/ratings.bank", "./*"] }]', "own"],
  ['[{ hosts: ["bank/*", "~bank/reviews.bank.svc.cluster.local"] }]', "wild"],
  ['[{ hosts: ["net/*"] }]', "all"],
  ['[{ hosts: ["world/*"] }]', undefined],
];
for (const [egress, want] of GOVERNING) {
  test(`${want ?? "no VirtualService"} governs a host with the egress ${egress}`, () => {
    const {
      view,
      clients: [client],
    } = clients(egress);
    assert.ok(client);
    assert.equal(governingRoutes(view, client, HOST, 9080).governing?.virtualService.metadata.name, want);
  });
}

test("each listener of a Sidecar imports its own VirtualServices", () => {
  const port = "port: { number: 9080, protocol: HTTP, name: http }";
  const {
    view,
    clients: all,
    listeners,
  } = clients(`[{ ${port}, hosts: ["bank/*", "./*"] }, { hosts: ["bank/*"] }]`);
  assert.deepEqual(
    all.map((client) => governingRoutes(view, client, HOST, 9080).governing?.virtualService.metadata.name),
    ["own", "bank"],
  );
  assert.deepEqual(listeners[0]?.hosts, listeners[1]?.hosts);
});

test("everything, with nothing taken out, is what no Sidecar says either", () => {
  assert.equal(clients('[{ hosts: ["./*", "*/*"] }]').listeners[0]?.imports, undefined);
  assert.notEqual(clients('[{ hosts: ["*/*", "~./a.b"] }]').listeners[0]?.imports, undefined);
});

test("DestinationRules follow the services that are in scope, wherever they are written", () => {
  const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: istio-system }
spec: { host: ${HOST}, subsets: [{ name: v1 }] }
---`;
  const { view } = clients('[{ hosts: ["bank/*"] }]', rule);
  const found = findDestinationRules(
    view,
    { namespace: "shop", labels: {} },
    { hostname: HOST, namespace: "bank" },
  );
  assert.deepEqual(found?.keys, ["DestinationRule/istio-system/reviews"]);
});
