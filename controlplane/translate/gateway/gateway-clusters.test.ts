import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translator.ts";

/** Calls to `out.example` go through the gateway, which sends them there; only callers of this namespace have the subset. */
const YAML = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: shop }
spec:
  hosts: [out.example]
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: egress, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 8080, name: http, protocol: HTTP }, hosts: [out.example] }
    - { port: { number: 8443, name: tls, protocol: TLS }, hosts: [out.example], tls: { mode: PASSTHROUGH } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec: { host: reviews.default, subsets: [{ name: out }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: out, namespace: shop }
spec:
  hosts: [out.example]
  gateways: [mesh, egress]
  http:
    - match: [{ gateways: [mesh] }]
      route: [{ destination: { host: reviews.default, subset: out } }]
    - match: [{ gateways: [egress] }]
      route: [{ destination: { host: out.example, port: { number: 80 } } }]
  tls:
    - match: [{ gateways: [mesh], sniHosts: [out.example] }]
      route: [{ destination: { host: reviews.default, subset: out } }]
    - match: [{ gateways: [egress], sniHosts: [out.example] }]
      route: [{ destination: { host: out.example, port: { number: 443 } } }]
`;

test("a gateway has the clusters that its own routes lead to, and nothing is said of those that are for the mesh", () => {
  const workloads = [...bookinfoWorkloads(), gatewayWorkload()];
  const { snapshot, changed } = sampleState({ yaml: YAML, workloads }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const clusters = translator.preview("default/edge-1")?.types.get(TYPE_URL.cluster);
  assert.deepEqual([...(clusters?.keys() ?? [])].filter((name) => name.startsWith("outbound|")).sort(), [
    "outbound|443||out.example",
    "outbound|80||out.example",
  ]);
  const { warnings, failures } = translator.publish(snapshot, new Set());
  assert.deepEqual([...warnings, ...failures], []);
});
