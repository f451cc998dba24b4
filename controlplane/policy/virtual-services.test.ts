import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";
import { applicableHttpRoutes, applicableTcpRoute, governingVirtualService } from "./virtual-services.ts";

const HOST = "reviews.default.svc.cluster.local";

function view(yaml: string): SnapshotView {
  return viewOf(sampleState({ yaml }).next().snapshot);
}

function service(name: string, namespace: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec}, http: [{ route: [{ destination: { host: reviews } }] }] }
---`;
}

const precedence: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly from: string;
  readonly want: string | undefined;
}[] = [
  {
    name: "none is for the host",
    yaml: service("a", "default", "hosts: [other]"),
    from: "default",
    want: undefined,
  },
  {
    name: "a short host is of the object's own namespace",
    yaml: service("a", "prod", "hosts: [reviews]"),
    from: "default",
    want: undefined,
  },
  {
    name: "the oldest of two",
    yaml: service("z", "default", "hosts: [reviews]") + service("a", "default", "hosts: [reviews]"),
    from: "default",
    want: "z",
  },
  {
    name: "the most specific host before an older wildcard",
    yaml:
      service("wild", "default", 'hosts: ["*.default.svc.cluster.local"]') +
      service("exact", "default", "hosts: [reviews]"),
    from: "default",
    want: "exact",
  },
  {
    name: "a wildcard where nothing is more specific",
    yaml:
      service("all", "default", 'hosts: ["*.local"]') +
      service("wild", "default", 'hosts: ["*.default.svc.cluster.local"]'),
    from: "default",
    want: "wild",
  },
  {
    name: "private to the client's namespace before an older public one",
    yaml:
      service("public", "default", `hosts: [${HOST}]`) +
      service("mine", "shop", `hosts: [${HOST}], exportTo: ["."]`),
    from: "shop",
    want: "mine",
  },
  {
    name: "exported by name before an older public one",
    yaml:
      service("public", "default", `hosts: [${HOST}]`) +
      service("given", "default", `hosts: [${HOST}], exportTo: [shop]`),
    from: "shop",
    want: "given",
  },
  {
    name: "private to another namespace is not seen",
    yaml: service("theirs", "default", `hosts: [${HOST}], exportTo: ["."]`),
    from: "shop",
    want: undefined,
  },
  {
    name: "one for gateways only is not for sidecars",
    yaml: service("edge", "default", "hosts: [reviews], gateways: [edge]"),
    from: "default",
    want: undefined,
  },
  {
    name: "one for gateways and the mesh is",
    yaml: service("both", "default", "hosts: [reviews], gateways: [edge, mesh]"),
    from: "default",
    want: "both",
  },
];
for (const { name, yaml, from, want } of precedence) {
  test(`the VirtualService that governs a host: ${name}`, () => {
    const found = governingVirtualService(view(yaml), { namespace: from, labels: {} }, HOST);
    assert.equal(found?.metadata.name, want);
  });
}

const ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: by-port
      match: [{ port: 1 }]
      route: [{ destination: { host: a } }]
    - name: by-source
      match: [{ sourceLabels: { app: web }, uri: { prefix: /x } }, { sourceNamespace: shop, uri: { prefix: /y } }]
      route: [{ destination: { host: b } }]
    - name: by-gateway
      match: [{ gateways: [edge], uri: { prefix: /z } }]
      route: [{ destination: { host: c } }]
    - name: everything
      match: [{ uri: { prefix: /only } }, { uri: { prefix: / } }, { uri: { prefix: /late } }]
      route: [{ destination: { host: d } }]
    - name: unreachable
      route: [{ destination: { host: e } }]
  tcp:
    - match: [{ destinationSubnets: [10.0.0.0/8] }]
      route: [{ destination: { host: a } }]
    - match: [{ port: 7 }]
      route: [{ destination: { host: b } }]
    - match: [{ sourceLabels: { app: web } }]
      route: [{ destination: { host: c } }]
`;

function routesFor(
  client: { namespace: string; labels: Record<string, string> },
  port: number,
): readonly string[] {
  const governing = governingVirtualService(view(ROUTES), client, HOST);
  assert.ok(governing);
  return applicableHttpRoutes(governing, client, port).map(
    ({ route, match }) => `${route.name} ${match?.uri?.kind === "prefix" ? match.uri.value : "*"}`,
  );
}

test("matches that the client can never meet are left out, and generation stops at the first catch-all", () => {
  assert.deepEqual(routesFor({ namespace: "default", labels: {} }, 9080), [
    "everything /only",
    "everything /",
  ]);
  assert.deepEqual(routesFor({ namespace: "shop", labels: { app: "web" } }, 9080), [
    "by-source /x",
    "by-source /y",
    "everything /only",
    "everything /",
  ]);
  assert.deepEqual(routesFor({ namespace: "default", labels: {} }, 1), ["by-port *"]);
});

test("a TCP route applies when one of its matches can hold on an explicit listener", () => {
  const client = { namespace: "default", labels: { app: "web" } };
  const governing = governingVirtualService(view(ROUTES), client, HOST);
  assert.ok(governing);
  const first = (labels: Record<string, string>, port: number): string | undefined =>
    applicableTcpRoute(governing, { namespace: "default", labels }, port)?.route[0]?.destination.host;
  assert.equal(first({}, 7), "b");
  assert.equal(first({ app: "web" }, 9), "c");
  assert.equal(first({}, 9), undefined);
});
