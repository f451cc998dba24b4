import assert from "node:assert/strict";
import { test } from "node:test";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { inScope } from "../../../test/fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { workloadOf } from "../workload-of.ts";
import { gatewayResources } from "./gateway-parts.ts";

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }]
`;

/** Each with one route of its name, and that route's match. */
function virtualServices(matches: readonly (readonly [string, object | undefined])[]): string {
  const documents = matches.map(([name, match]) =>
    JSON.stringify({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name },
      spec: {
        hosts: ["a.example.com"],
        gateways: ["edge"],
        http: [
          { name, ...(match && { match: [match] }), route: [{ destination: { host: "reviews.default" } }] },
        ],
      },
    }),
  );
  return [GATEWAY, ...documents].join("\n---\n");
}

function virtualHosts(yaml: string): RouteConfiguration["virtualHosts"] {
  const workloads = [...bookinfoWorkloads(), gatewayWorkload()];
  const { snapshot } = sampleState({ yaml, workloads }).next();
  const { value } = inScope(snapshot, (scope) =>
    gatewayResources(scope, workloadOf(scope, "default/edge-1")),
  );
  const [configuration] = value.parts.get(TYPE_URL.route) ?? [];
  assert.ok(configuration);
  return RouteConfiguration.decode(configuration.bytes).virtualHosts;
}

const table: readonly (readonly [string, object])[] = [
  ["a path", { uri: { prefix: "/reviews" } }],
  ["a header", { headers: { end: { exact: "x" } } }],
  ["a header that must be missing", { withoutHeaders: { end: {} } }],
  ["a query parameter", { queryParams: { v: { exact: "2" } } }],
  ["a method", { method: { exact: "POST" } }],
  ["a claim of the caller's token", { headers: { "@request.auth.claims.group": { exact: "beta" } } }],
];
for (const [what, match] of table) {
  test(`of two VirtualServices for a host, the younger's route for ${what} comes before the older's for everything`, () => {
    const yaml = virtualServices([
      ["all", undefined],
      ["some", match],
      ["rest", { uri: { prefix: "/" } }],
    ]);
    const [host] = virtualHosts(yaml);
    assert.deepEqual(
      host?.routes.map(({ name }) => name),
      ["some", "all", "rest"],
    );
  });
}

test("a VirtualService that routes bytes alone does not take its hosts from another's wildcard", () => {
  const yaml = `${GATEWAY}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec:
  hosts: ["*.example.com"]
  gateways: [edge]
  http: [{ route: [{ destination: { host: reviews } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec:
  hosts: [a.example.com]
  gateways: [edge]
  tls: [{ match: [{ sniHosts: [a.example.com] }], route: [{ destination: { host: reviews } }] }]
`;
  assert.deepEqual(
    virtualHosts(yaml).map(({ domains }) => domains),
    [["*.example.com"]],
  );
});
