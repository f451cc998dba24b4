import assert from "node:assert/strict";
import { test } from "node:test";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { gatewaySecrets, gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { bookinfoWorkloads, objects, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { MeshState } from "../../snapshot/mesh-state.ts";
import { Memo } from "../memo.ts";
import { workloadOf } from "../workload-of.ts";
import { type GatewayResources, gatewayResources } from "./gateway-parts.ts";

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 8443, name: https, protocol: HTTPS }
      hosts: [a.example.com]
      tls: { mode: SIMPLE, credentialName: edge }
---
`;

function routedTo(host: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a.example.com]
  gateways: [edge]
  http: [{ route: [{ destination: { host: ${host} } }] }]
`;
}

/** As in the first snapshot: a change of an object is not a new one. */
const CREATED_AT: Readonly<Record<string, number>> = { Gateway: 1, Secret: 2, VirtualService: 3 };

/** Two gateways of one class, from the first snapshot on. */
class Gateways {
  readonly #state: MeshState = sampleState({
    yaml: `${GATEWAY}${gatewaySecrets(["edge"])}---${routedTo("reviews")}`,
    workloads: [...bookinfoWorkloads(), gatewayWorkload(), gatewayWorkload({ name: "edge-2" })],
  });
  readonly memo: Memo = new Memo(this.#state.next().snapshot);
  #revision = 100;

  of(name: string): GatewayResources {
    return this.memo.root(name, (scope) => gatewayResources(scope, workloadOf(scope, `default/${name}`)));
  }

  /** Puts objects in the place of those of the same names, of which `kept` says what was in force. */
  apply(yaml: string, kept = ""): void {
    const before = new Map(objects(kept || yaml).map((one) => [keyOf(one), one]));
    const after = objects(yaml).map((one) => ({
      ...one,
      createdAt: CREATED_AT[one.kind] ?? 0,
      revision: ++this.#revision,
    }));
    this.#state.setConfig(
      after.map((one) => ({
        key: keyOf(one),
        before: one,
        after: one,
        kept: kept === "" ? undefined : before.get(keyOf(one)),
      })),
      this.#revision,
    );
    const { snapshot, changed } = this.#state.next();
    this.memo.advance(snapshot, changed);
  }

  clusterOfRoute(): string | undefined {
    const [resource] = this.of("edge-1").parts.get(TYPE_URL.route) ?? [];
    assert.ok(resource);
    return RouteConfiguration.decode(resource.bytes).virtualHosts[0]?.routes[0]?.route?.cluster;
  }
}

const only = ({ parts }: GatewayResources, type: TypeUrl): unknown => {
  const [first, ...others] = parts.get(type) ?? [];
  assert.equal(others.length, 0);
  return first;
};

test("gateways that are alike have the same resources, not equal ones", () => {
  const gateways = new Gateways();
  assert.equal(gateways.of("edge-1"), gateways.of("edge-2"));
});

test("a renewed certificate changes its secret and nothing else", () => {
  const gateways = new Gateways();
  const before = gateways.of("edge-1");
  gateways.apply(gatewaySecrets(["edge"]));
  const after = gateways.of("edge-1");
  assert.notEqual(only(after, TYPE_URL.secret), only(before, TYPE_URL.secret));
  for (const type of [TYPE_URL.listener, TYPE_URL.route]) assert.equal(only(after, type), only(before, type));
});

const BYTES = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 5432, name: tcp, protocol: TCP }, hosts: ["*"] }
    - { port: { number: 8443, name: tls, protocol: TLS }, hosts: [a.example.com], tls: { mode: PASSTHROUGH } }
---
`;

function handedOnTo(host: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a.example.com]
  gateways: [edge]
  tcp: [{ match: [{ port: 5432 }], route: [{ destination: { host: ${host} } }] }]
  tls: [{ match: [{ port: 8443, sniHosts: [a.example.com] }], route: [{ destination: { host: ${host} } }] }]
`;
}

test("the same of connections that are handed on", () => {
  const gateways = new Gateways();
  const listeners = (): readonly EncodedResource[] =>
    gateways.of("edge-1").parts.get(TYPE_URL.listener) ?? [];
  gateways.apply(BYTES + handedOnTo("reviews"));
  const before = listeners();
  assert.equal(before.length, 2);
  gateways.apply(handedOnTo("nowhere"), handedOnTo("reviews"));
  assert.deepEqual(
    listeners().map(({ version }) => version),
    before.map(({ version }) => version),
  );
  assert.deepEqual(gateways.of("edge-1").hosts, ["reviews.default.svc.cluster.local"]);
  const warnings = gateways.memo.warnings().map(({ message }) => message);
  for (const kind of ["tcp", "tls"]) {
    const stays = new RegExp(`^spec\\.${kind}.*no service nowhere; revision \\d+.* stays in force$`);
    assert.ok(
      warnings.some((message) => stays.test(message)),
      warnings.join("; "),
    );
  }
  gateways.apply(handedOnTo("details"));
  assert.deepEqual(gateways.of("edge-1").hosts, ["details.default.svc.cluster.local"]);
  assert.deepEqual(gateways.memo.warnings(), []);
});

test("routes that would lead nowhere are not published: those before stay, and a warning says so", () => {
  const gateways = new Gateways();
  assert.equal(gateways.clusterOfRoute(), "outbound|9080||reviews.default.svc.cluster.local");
  gateways.apply(routedTo("nowhere"), routedTo("reviews"));
  assert.equal(gateways.clusterOfRoute(), "outbound|9080||reviews.default.svc.cluster.local");
  assert.match(
    gateways.memo.warnings()[0]?.message ?? "",
    /no service nowhere; revision \d+.* stays in force/,
  );
  gateways.apply(routedTo("details"));
  assert.equal(gateways.clusterOfRoute(), "outbound|9080||details.default.svc.cluster.local");
  assert.deepEqual(gateways.of("edge-1").hosts, ["details.default.svc.cluster.local"]);
  assert.deepEqual(gateways.memo.warnings(), []);
});
