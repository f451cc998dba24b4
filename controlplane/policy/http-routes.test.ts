import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../mesh/model/object.ts";
import { objects, sampleState } from "../../test/fakes/sample-mesh.ts";
import { parsedMatch } from "../../test/harness/http-route-specs.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { applicableHttpRoutes, isCatchAll } from "./http-routes.ts";
import type { RoutingClient } from "./virtual-services.ts";

const YAML = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  gateways: [mesh, edge, other/far]
  http:
    - name: by-port
      match: [{ port: 1 }]
      route: [{ destination: { host: a } }]
    - name: by-source
      match: [{ sourceLabels: { app: web }, uri: { prefix: /x } }, { sourceNamespace: shop, uri: { prefix: /y } }]
      route: [{ destination: { host: b } }]
    - name: by-gateway
      match: [{ gateways: [edge, mesh], sourceLabels: { app: nobody }, uri: { prefix: /z } }]
      route: [{ destination: { host: c } }]
    - name: far
      match: [{ gateways: [other/far], uri: { prefix: /far } }]
      route: [{ destination: { host: c } }]
    - name: everything
      match: [{ uri: { prefix: /only } }, { uri: { prefix: / } }, { uri: { prefix: /late } }]
      route: [{ destination: { host: d } }]
    - name: unreachable
      route: [{ destination: { host: e } }]
`;

const LAST = ["everything /only", "everything /"];

const cases: readonly {
  readonly name: string;
  readonly client?: Partial<RoutingClient>;
  readonly port?: number;
  readonly gateway?: string;
  readonly want: readonly string[];
}[] = [
  { name: "a sidecar that is like none, up to the first catch-all", want: ["by-gateway /z", ...LAST] },
  {
    name: "a sidecar with the labels and namespace",
    client: { namespace: "shop", labels: { app: "web", version: "v1" } },
    want: ["by-source /x", "by-source /y", "by-gateway /z", ...LAST],
  },
  { name: "a port whose route is a catch-all", port: 1, want: ["by-port *"] },
  { name: "a gateway of the object's namespace", gateway: "default/edge", want: ["by-gateway /z", ...LAST] },
  { name: "a gateway of another namespace", gateway: "other/far", want: ["far /far", ...LAST] },
  { name: "a gateway of another namespace with the same name", gateway: "other/edge", want: LAST },
];
for (const { name, client = {}, port = 9080, gateway, want } of cases) {
  test(`the routes that apply to ${name}`, () => {
    const view = viewOf(sampleState({ yaml: YAML }).next().snapshot);
    const [virtualService] = objects(YAML) as readonly StoredObject<"VirtualService">[];
    assert.ok(virtualService);
    const caller = { namespace: "default", labels: {}, imports: undefined, prefers: [], ...client };
    const routes = applicableHttpRoutes(view, virtualService, caller, port, gateway);
    assert.deepEqual(
      routes.map(
        ({ route, match }) => `${route.name} ${match?.uri?.kind === "prefix" ? match.uri.value : "*"}`,
      ),
      want,
    );
  });
}

const matches: readonly {
  readonly name: string;
  readonly match: Parameters<typeof isCatchAll>[0];
  readonly want: boolean;
}[] = [
  { name: "no match", match: undefined, want: true },
  { name: "a match that says nothing", match: parsedMatch(), want: true },
  { name: "prefix /", match: parsedMatch({ uri: { kind: "prefix", value: "/" } }), want: true },
  { name: "regex .*", match: parsedMatch({ uri: { kind: "regex", value: ".*" } }), want: true },
  { name: "prefix /a", match: parsedMatch({ uri: { kind: "prefix", value: "/a" } }), want: false },
  { name: "exact /", match: parsedMatch({ uri: { kind: "exact", value: "/" } }), want: false },
  { name: "a method", match: parsedMatch({ method: { kind: "exact", value: "GET" } }), want: false },
  { name: "a header", match: parsedMatch({ headers: { a: { kind: "present" } } }), want: false },
  {
    name: "an absent header",
    match: parsedMatch({ withoutHeaders: { a: { kind: "present" } } }),
    want: false,
  },
  { name: "a parameter", match: parsedMatch({ queryParams: { a: { kind: "present" } } }), want: false },
];
for (const { name, match, want } of matches) {
  test(`${name} is ${want ? "met by every request" : "not met by every request"}`, () => {
    assert.equal(isCatchAll(match), want);
  });
}
