import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workload } from "../../mesh/model/workload.ts";
import { loadAgentConfig } from "../config.ts";
import { planGateways } from "./plan-gateways.ts";

const settings = {
  loopback: "127.0.0.1",
  dataPlane: "envoy",
  trustDomain: "cluster.local",
  locality: "eu/north",
  network: "dmz",
  vips: "loopback",
  ruled: [],
  ipv6: true,
} as const;

function plan(file: string): readonly Workload[] {
  const { gateways } = loadAgentConfig({
    file: { name: "agent.yaml", text: `gateways: [${file}]` },
    environment: {},
    flags: {},
  });
  return planGateways(gateways, "10.0.0.7", settings);
}

test("a gateway that has only a name is Istio's ingress gateway of this host", () => {
  assert.deepEqual(plan("{ name: edge }"), [
    {
      name: "edge",
      namespace: "istio-system",
      service: "edge",
      serviceAccount: "edge",
      labels: { app: "edge", istio: "ingressgateway" },
      ports: [],
      upstreams: [],
      healthy: true,
      weight: 1,
      locality: "eu/north",
      network: "dmz",
      role: "gateway",
      interception: "none",
      capturedAt: undefined,
      discovery: "mesh",
      httpProxy: undefined,
      vips: "none",
      reportsCalls: true,
      mtls: undefined,
      dataPlane: "envoy",
      catalog: undefined,
      group: undefined,
    },
  ]);
});

test("a gateway's ports are those of its service, at its own address", () => {
  const [gateway] = plan(
    "{ name: east, address: 10.0.0.9, network: net2, ports: [{ port: 15443, protocol: tls, name: mtls }] }",
  );
  assert.deepEqual(gateway?.ports, [
    {
      name: "mtls",
      protocol: "tls",
      servicePort: 15_443,
      inbound: { address: "10.0.0.9", port: 15_443 },
      app: { address: "10.0.0.9", port: 15_443 },
    },
  ]);
  assert.equal(gateway?.network, "net2");
});

test("a gateway that cannot be is refused with the field's path", () => {
  assert.throws(
    () => plan("{ name: Edge, port: 1 }"),
    /gateways\.0\.name: must be up to 63.*gateways\.0.*port/s,
  );
});
