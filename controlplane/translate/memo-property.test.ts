import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../mesh/model/object.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { gatewaySecrets } from "../../test/fakes/gateway-mesh.ts";
import { bookinfoWorkloads, instance, objects, workload } from "../../test/fakes/sample-mesh.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { DEFAULT_SETTINGS } from "../snapshot/mesh-settings.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import { MeshState } from "../snapshot/mesh-state.ts";
import { types as messageTypes } from "./patches/testing/base-resources.ts";
import { createTranslator, type Translator } from "./translator.ts";

/** mulberry32: the same sequence for a seed on every machine. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const OBJECTS = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: wild }
spec:
  hosts: ["*.default.svc.cluster.local", beside.example]
  http:
    - { match: [{ sourceLabels: { app: productpage } }], route: [{ destination: { host: details } }] }
    - { route: [{ destination: { host: ratings } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db }
spec: { hosts: [ratingsdb], tcp: [{ route: [{ destination: { host: db.example, port: { number: 5432 } } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v9, labels: { version: v9 } }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: root, namespace: istio-system }
spec: { host: "*.cluster.local", trafficPolicy: { loadBalancer: { simple: RANDOM } } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec:
  hosts: [db.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 5432, name: pg, protocol: TCP }]
  workloadSelector: { labels: { app: db } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: db-1 }
spec: { address: 10.7.0.1, labels: { app: db }, serviceAccount: db }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db-too }
spec:
  hosts: [db.example, "*.db.example"]
  location: MESH_EXTERNAL
  resolution: NONE
  ports: [{ number: 3306, name: tls, protocol: TLS }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: foreign }
spec:
  hosts: [nowhere.example]
  http: [{ route: [{ destination: { host: reviews } }] }]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow }
spec:
  egress: [{ hosts: ["./reviews.default.svc.cluster.local"] }]
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: of-shop, namespace: shop }
spec:
  hosts: [reviews.default.svc.cluster.local, somewhere.example]
  http: [{ route: [{ destination: { host: ratings.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web }
spec: { hosts: [web.example], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: of-ratings }
spec:
  workloadSelector: { labels: { app: ratings } }
  egress:
    - { port: { number: 9080, protocol: HTTP, name: http }, hosts: ["./*", "~./details.default.svc.cluster.local"] }
    - { hosts: ["shop/*", "*/*.example"] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: of-reviews }
spec:
  workloadSelector: { labels: { app: reviews } }
  ingress: [{ port: { number: 9080, protocol: HTTP, name: http }, defaultEndpoint: "127.0.0.1:8080" }]
  egress: [{ port: { number: 9080, protocol: HTTP, name: http }, hosts: ["*/*"] }]
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY }, defaultServiceExportTo: ["."], connectTimeout: 3s }
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: by-name, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: far }
spec:
  host: "*.default.svc.cluster.local"
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 3 }
    loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ratings }
spec: { selector: { matchLabels: { app: ratings } }, action: ALLOW, rules: [{ from: [{ source: { namespaces: [default] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: none, namespace: istio-system }
spec: { action: DENY, rules: [{ to: [{ operation: { methods: [DELETE] } }] }] }
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: everyone, namespace: istio-system }
spec:
  configPatches:
    - { applyTo: CLUSTER, match: { context: SIDECAR_OUTBOUND }, patch: { operation: MERGE, value: { connect_timeout: 7s } } }
    - { applyTo: CLUSTER, match: { cluster: { subset: v1 } }, patch: { operation: REMOVE } }
    - applyTo: CLUSTER
      patch: { operation: ADD, value: { name: "outbound|9080||ratings.default.svc.cluster.local", type: STATIC } }
    - { applyTo: HTTP_ROUTE, patch: { operation: MERGE, value: { route: { timeout: 9s }, name: renamed } } }
    - { applyTo: NETWORK_FILTER, patch: { operation: MERGE, value: { typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo } } } }
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: of-reviews }
spec:
  workloadSelector: { labels: { app: reviews } }
  priority: -1
  configPatches:
    - { applyTo: CLUSTER, match: { cluster: { service: reviews.default.svc.cluster.local } }, patch: { operation: MERGE, value: { alt_stat_name: mine } } }
    - { applyTo: LISTENER, match: { context: SIDECAR_INBOUND }, patch: { operation: MERGE, value: { per_connection_buffer_limit_bytes: 4096 } } }
    - { applyTo: LISTENER, match: { listener: { portNumber: 9080 } }, patch: { operation: REMOVE } }
    - { applyTo: CLUSTER, patch: { operation: MERGE, value: { connect_timeout: wrong } } }
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec:
  proxyHttpPort: 15081
  h2UpgradePolicy: UPGRADE
  enableAutoMtls: false
  localityLbSetting: { enabled: true, failoverPriority: [topology.kubernetes.io/zone, version] }
  networks:
    far: { endpoints: [{ fromCidr: 10.0.3.0/24 }], gateways: [{ address: 192.0.2.9, port: 15443 }] }
    by-service: { endpoints: [{ fromCidr: 10.0.1.0/24 }], gateways: [{ registryServiceName: ratings.default.svc.cluster.local, port: 9080 }] }
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: later, namespace: istio-system }
spec: { rootNamespace: default, defaultVirtualServiceExportTo: ["."], defaultDestinationRuleExportTo: ["."] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: mesh-wide, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: of-ratings }
spec: { selector: { matchLabels: { app: ratings } }, mtls: { mode: PERMISSIVE }, portLevelMtls: { 9080: { mode: DISABLE } } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: db-1 }
spec: { address: 10.7.0.2, network: far, locality: eu/a, weight: 3, labels: { app: db, version: v1 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: db-2 }
spec: { address: 10.0.3.77, labels: { app: db } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*.example"], tls: { httpsRedirect: true } }
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example], tls: { mode: SIMPLE, credentialName: shop } }
    - { port: { number: 15443, name: tls, protocol: TLS }, hosts: ["*.local"], tls: { mode: AUTO_PASSTHROUGH } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example, "*.db.example"], tls: { mode: MUTUAL, credentialName: shop } }
    - { port: { number: 5432, name: pg, protocol: TCP }, hosts: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: other, namespace: shop }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: ISTIO_MUTUAL } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: at-edge }
spec:
  hosts: [shop.example]
  gateways: [edge, shop/other]
  http:
    - { match: [{ uri: { prefix: /ratings } }], route: [{ destination: { host: ratings } }] }
    - { route: [{ destination: { host: reviews, subset: v1 } }], mirror: { host: details } }
  tcp: [{ match: [{ port: 5432 }], route: [{ destination: { host: ratingsdb, port: { number: 5432 } } }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: external }
spec:
  host: web.example
  workloadSelector: { matchLabels: { app: reviews } }
  trafficPolicy: { tls: { mode: SIMPLE, credentialName: shop } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: external }
spec:
  host: web.example
  subsets: [{ name: v1, labels: { version: v1 } }]
  trafficPolicy: { tls: { mode: MUTUAL, credentialName: shop }, loadBalancer: { consistentHash: { useSourceIp: true } } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: istio-system }
spec: { egress: [{ hosts: ["*/*.local"] }], outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: details.default.svc.cluster.local, port: { number: 9080 } } } }
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: { name: two }
spec: { concurrency: 2, environmentVariables: { A: b } }
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: of-edge }
spec:
  workloadSelector: { labels: { app: edge } }
  configPatches:
    - { applyTo: VIRTUAL_HOST, match: { context: GATEWAY }, patch: { operation: MERGE, value: { include_attempt_count_in_response: true } } }
    - { applyTo: CLUSTER, patch: { operation: ADD, value: { name: mine, type: STATIC } } }
    - { applyTo: LISTENER, match: { context: GATEWAY, listener: { portNumber: 80 } }, patch: { operation: REMOVE } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: by-address }
spec: { hosts: [legacy.example], addresses: [10.9.9.9], resolution: STATIC, endpoints: [{ address: 10.9.0.1 }], ports: [{ number: 9080, name: http, protocol: HTTP }] }
`;

/** Of some there are several: each takes the place of the other. */
const POOL: readonly StoredObject[] = [
  OBJECTS,
  gatewaySecrets(["shop"]),
  gatewaySecrets(["shop"], ["shop-cacert"]),
]
  .flatMap((yaml) => yaml.split("---\n"))
  .flatMap((document, index) => objects(document, index + 1));

/** By hand: 1,000 and more. */
const SEEDS = 40;

const WORKLOADS: readonly PlacedWorkload[] = [
  ...bookinfoWorkloads(),
  workload("", { name: "edge-1", role: "gateway", labels: { app: "edge" }, serviceAccount: "edge" }),
];

/** What proxies that ask on demand may have asked for. */
const ASKED = [
  "http_proxy/reviews:9080",
  "9080/ratings",
  "http_proxy/nowhere.example",
  "80/somewhere.example",
  "9080/somewhere.example",
  "9080/beside.example",
  "80/nobody",
  "9080/10.9.9.9",
  "http_proxy/10.0.3.1:9080",
  "outbound|5432||ratingsdb.default.svc.cluster.local",
  "outbound|5432||db.example",
];

/** Applies one random change: an object, a workload, what it has asked for or a service's instances comes, changes or goes. */
function change(
  state: MeshState,
  present: Map<string, StoredObject>,
  random: (below: number) => number,
): void {
  const kind = random(4);
  if (kind === 3) {
    const base = WORKLOADS[random(WORKLOADS.length)];
    assert.ok(base);
    state.setObserved(
      workloadId(base),
      ASKED.filter(() => random(3) === 0),
    );
    return;
  }
  if (kind === 0) {
    const object = POOL[random(POOL.length)];
    assert.ok(object);
    const key = keyOf(object);
    const before = present.get(key);
    if (before === undefined || (before !== object && random(2) === 0)) {
      present.set(key, object);
      state.setConfig([{ key, before, after: object }], 1);
    } else {
      present.delete(key);
      state.setConfig([{ key, before, after: undefined }], 1);
    }
    return;
  }
  if (kind === 1) {
    const base = WORKLOADS[random(WORKLOADS.length)];
    assert.ok(base);
    const variants: readonly (PlacedWorkload | undefined)[] = [
      undefined,
      base,
      { ...base, healthy: false },
      { ...base, serviceAccount: "other", network: "far" },
      { ...base, role: "gateway", labels: { ...base.labels, "topology.istio.io/network": "far" } },
      { ...base, labels: { ...base.labels, app: "edge" }, namespace: base.namespace, weight: 7 },
      { ...base, labels: { ...base.labels, version: "v9" } },
      { ...base, catalog: { registry: "consul", instanceId: "c1" } },
      { ...base, upstreams: [] },
      { ...base, discovery: "mesh", interception: "redirect" },
      { ...base, discovery: "mesh", vips: "loopback", locality: "eu/a" },
      { ...base, reportsCalls: true },
      { ...base, discovery: "mesh", httpProxy: { address: "127.0.0.1", port: 15_080 } },
      { ...base, discovery: "on-demand", interception: "redirect" },
      { ...base, discovery: "on-demand", vips: "loopback" },
      { ...base, discovery: "on-demand", httpProxy: { address: "127.0.0.1", port: 15_080 } },
      {
        ...base,
        upstreams: [{ host: "nowhere.example", port: 80, bind: { address: "127.0.0.1", port: 9099 } }],
      },
      { ...base, httpProxy: { address: "127.0.0.1", port: 15_080 } },
    ];
    state.setWorkloads([{ id: workloadId(base), workload: variants[random(variants.length)] }]);
    return;
  }
  const service = ["reviews", "ratings", "details"][random(3)] ?? "";
  const count = random(3);
  state.setCatalog(
    "consul",
    "default",
    service,
    Array.from({ length: count }, (_, index) =>
      instance(service, { id: `c${index + random(2)}`, healthy: random(4) > 0, port: 9080 + random(2) }),
    ),
  );
}

function contents(translator: Translator): unknown {
  return WORKLOADS.map((one) => {
    const types = translator.preview(workloadId(one))?.types;
    return (
      types &&
      [...types].map(([type, map]) => [
        type,
        ...[...map.values()].map(({ name, version }) => `${name} ${version}`).sort(),
      ])
    );
  });
}

function fresh(snapshot: MeshSnapshot): { readonly contents: unknown; readonly warnings: unknown } {
  const translator = createTranslator({ messageTypes });
  translator.publish(snapshot, new Set());
  const all = contents(translator);
  return { contents: all, warnings: translator.publish(snapshot, new Set()).warnings };
}

test("after any sequence of changes the memoised translation equals a fresh one", () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = randomFrom(seed);
    const state = new MeshState(DEFAULT_SETTINGS);
    const translator = createTranslator({ messageTypes });
    const present = new Map<string, StoredObject>();
    for (const one of WORKLOADS) state.setWorkloads([{ id: workloadId(one), workload: one }]);
    for (let step = 0; step < 10; step += 1) {
      for (let more = random(3); more >= 0; more -= 1) change(state, present, random);
      const { snapshot, changed } = state.next();
      const { failures } = translator.publish(snapshot, changed);
      assert.deepEqual(failures, [], `seed ${seed}, step ${step}`);
      const memoised = contents(translator);
      const want = fresh(snapshot);
      assert.deepEqual(memoised, want.contents, `seed ${seed}, step ${step}`);
      assert.deepEqual(translator.publish(snapshot, new Set<SnapshotKey>()).warnings, want.warnings);
    }
  }
});
