import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { networkEntries } from "./network-gateways.ts";

const at = (servicePort: number): PlacedWorkload["ports"] => [
  port({ servicePort, inbound: { address: "2.0.0.1", port: servicePort } }),
];

function gateway(over: Partial<PlacedWorkload> = {}): PlacedWorkload {
  const labels = { "topology.istio.io/network": "west" };
  return workload("eastwest", { role: "gateway", labels, ports: at(15_443), ...over });
}

const cases: readonly (readonly [string, PlacedWorkload, readonly (readonly [string, number])[]])[] = [
  ["at Istio's port", gateway(), [["2.0.0.1", 15_443]]],
  [
    "at the port of its label",
    gateway({ labels: { "topology.istio.io/network": "west", "networking.istio.io/gatewayPort": "443" } }),
    [["2.0.0.1", 443]],
  ],
  ["at the address of another port", gateway({ ports: at(80) }), [["2.0.0.1", 15_443]]],
  ["nowhere: it declares no port", gateway({ ports: [] }), []],
  ["nowhere: it is not well", gateway({ healthy: false }), []],
  ["nowhere: it has no such label", gateway({ labels: { istio: "eastwestgateway" } }), []],
  ["nowhere: it is no gateway", gateway({ role: "sidecar" }), []],
];
for (const [name, given, want] of cases) {
  test(`a network is entered ${name}`, () =>
    assert.deepEqual(
      networkEntries([given]),
      want.map(([address, number]) => ({ network: "west", address, port: number })),
    ));
}

test("entries change with gateways between networks, and with nothing else", () => {
  const state = sampleState({ workloads: [gateway()] });
  const first = state.next();
  assert.ok(first.changed.has("mesh/network-entries"));
  state.setWorkloads([{ id: "default/web-1", workload: workload("web") }]);
  const second = state.next();
  assert.equal(second.changed.has("mesh/network-entries"), false);
  assert.equal(second.snapshot.networkEntries, first.snapshot.networkEntries);
  state.setWorkloads([{ id: "default/eastwest-1", workload: undefined }]);
  const third = state.next();
  assert.ok(third.changed.has("mesh/network-entries"));
  assert.deepEqual(third.snapshot.networkEntries, []);
});
