import assert from "node:assert/strict";
import { test } from "node:test";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { sampleState } from "../../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translator.ts";

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 15443, name: tls, protocol: TLS }, hosts: ["*"], tls: { mode: AUTO_PASSTHROUGH } }]
`;

function serviceEntry(namespace: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: ${namespace} }
spec: { location: MESH_INTERNAL, ${spec} }
`;
}

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: "*.example.com", subsets: [{ name: v1, labels: { version: v1 } }] }
`;

/** Server names that the gateway leads on, and whether all of what that takes is there. */
function passedOn(...yaml: readonly string[]) {
  const { snapshot, changed } = sampleState({
    yaml: [GATEWAY, ...yaml].join("---"),
    workloads: [gatewayWorkload()],
  }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const types = translator.preview("default/edge-1")?.types;
  const { failures } = translator.publish(snapshot, new Set());
  const listener = types?.get(TYPE_URL.listener)?.get("0.0.0.0_15443");
  const { filterChains } = listener === undefined ? { filterChains: [] } : Listener.decode(listener.bytes);
  return {
    failures,
    names: filterChains.flatMap(({ filterChainMatch }) => filterChainMatch?.serverNames ?? []),
  };
}

test("subsets are led on where there are clusters of them: not where hosts are looked up call by call", () => {
  const tls = "ports: [{ number: 443, name: tls, protocol: TLS }]";
  const known = serviceEntry("default", `hosts: [a.example.com], resolution: STATIC, ${tls}`);
  assert.deepEqual(passedOn(known, SUBSETS), {
    failures: [],
    names: ["outbound_.443_._.a.example.com", "outbound_.443_.v1_.a.example.com"],
  });
  const lookedUp = serviceEntry("default", `hosts: ["*.example.com"], resolution: DYNAMIC_DNS, ${tls}`);
  assert.deepEqual(passedOn(lookedUp, SUBSETS), { failures: [], names: ["outbound_.443_._.*.example.com"] });
});

test("of several services of a host one is led on to", () => {
  const described = ["first", "second", "default"].map((namespace, index) =>
    serviceEntry(
      namespace,
      `hosts: [api.example.com], resolution: STATIC, ports: [{ number: ${80 + index}, name: http, protocol: HTTP }]`,
    ),
  );
  assert.deepEqual(passedOn(...described), { failures: [], names: ["outbound_.82_._.api.example.com"] });
});
