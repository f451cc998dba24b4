import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../mesh/model/object.ts";
import { type PlacedWorkload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import { objects, workload } from "../../test/fakes/sample-mesh.ts";
import { Random } from "../../test/harness/random.ts";
import { isVisible } from "../policy/services.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { DEFAULT_SETTINGS } from "../snapshot/mesh-settings.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { MeshState } from "../snapshot/mesh-state.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { createTranslator, type Translator } from "./translator.ts";

const NAMESPACES = ["pay", "shop", "bank"];
/** A plain one, one with a wildcard, one that an application serves, and one that may mean the same. */
const HOSTS = ["api.example.com", "'*.example.com'", "web.pay.svc.cluster.local", "web.pay"];
const DESTINATIONS = ["api.example.com", "web.pay.svc.cluster.local"];
const CALLED = ["80/api.example.com", "443/www.example.com", "outbound|443||api.example.com"];
const EXPORT_TO = ["", "exportTo: ['*'],", "exportTo: [.],", "exportTo: [pay],", "exportTo: [pay, shop],"];
const PORTS = ["HTTP", "TLS", "TCP", ""].map(
  (protocol, index) => `{ number: ${[80, 443, 5432, 80][index]}, name: p${index}, protocol: "${protocol}" }`,
);

const CAPTURED = { discovery: "mesh", interception: "redirect" } as const;
const bind = { address: "127.0.0.1", port: 9000 };
const WORKLOADS: readonly PlacedWorkload[] = [
  ...NAMESPACES.map((namespace) => workload("web", { ...CAPTURED, namespace })),
  // Of one namespace, but that a Sidecar is for only one of them.
  workload("narrow", { ...CAPTURED, namespace: "pay" }),
  workload("far", { ...CAPTURED, namespace: "shop", network: "far", locality: "eu/a" }),
  workload("lazy", { namespace: "shop", discovery: "on-demand", interception: "redirect" }),
  workload("lazy", { name: "proxied-1", namespace: "bank", ...CAPTURED, httpProxy: bind }),
  workload("declaring", { namespace: "bank", upstreams: [{ host: "api.example.com", port: 80, bind }] }),
  workload("", { name: "edge-1", namespace: "shop", role: "gateway", labels: { app: "edge" } }),
];
const IDS = WORKLOADS.map(workloadId);

/** What stays while services come and go. */
const FIXED = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
    - { port: { number: 15443, name: tls, protocol: TLS }, hosts: ["*"], tls: { mode: AUTO_PASSTHROUGH } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: at-edge, namespace: shop }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: api.example.com, port: { number: 80 } } }] }] }
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { networks: { far: { endpoints: [{ fromCidr: 10.0.0.0/25 }], gateways: [{ address: 192.0.2.9, port: 15443 }] } } }
`;

function metadata(name: string, namespace: string): string {
  return `metadata: { name: ${name}, namespace: ${namespace} }`;
}

function serviceEntry(random: Random): string {
  const number = random.below(HOSTS.length);
  const host = HOSTS[number];
  const resolution = random.pick([
    "STATIC",
    "STATIC",
    "STATIC",
    "NONE",
    host === HOSTS[1] ? "DYNAMIC_DNS" : "DNS",
  ]);
  const endpoint = (): string =>
    `{ address: 10.0.0.${1 + random.below(254)}, locality: ${random.pick(["eu/a", "us/b"])}, labels: { version: ${random.pick(["v1", "v2"])} }, serviceAccount: ${random.pick(["a", "b"])} }`;
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
${metadata(`e${number}`, random.pick(NAMESPACES))}
spec: { hosts: [${host}], ${random.pick(EXPORT_TO)} location: ${random.pick(["MESH_INTERNAL", "MESH_INTERNAL", "MESH_EXTERNAL"])},
  resolution: ${resolution}, ports: [${random.pick(PORTS.slice(0, resolution === "DYNAMIC_DNS" ? 2 : 4))}],
  ${resolution === "STATIC" ? `endpoints: [${endpoint()}, ${endpoint()}]` : ""} }
`;
}

function virtualService(random: Random): string {
  const host = random.pick(HOSTS);
  const subset = random.chance(0.4) ? ", subset: v1" : "";
  const route = `route: [{ destination: { host: ${random.pick(DESTINATIONS)}${subset} } }]`;
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
${metadata(`v${random.below(2)}`, random.pick(NAMESPACES))}
spec: { hosts: [${host}, beside.example], ${random.pick(EXPORT_TO)} http: [{ ${route} }], tcp: [{ ${route} }] }
`;
}

function destinationRule(random: Random): string {
  const locality =
    "outlierDetection: { consecutive5xxErrors: 3 }, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } }";
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
${metadata(`d${random.below(2)}`, random.pick([...NAMESPACES, "istio-system"]))}
spec: { host: ${random.pick(HOSTS)}, ${random.pick(EXPORT_TO)} subsets: [{ name: v1, labels: { version: v1 } }],
  trafficPolicy: { connectionPool: { tcp: { maxConnections: ${1 + random.below(3)} } }, ${random.chance(0.5) ? locality : ""} } }
`;
}

function sidecar(random: Random): string {
  const hosts = (): string =>
    random
      .some(["*/*", "shop/*", "bank/api.example.com", "./*", "*/*.local", "~shop/api.example.com"], 0.4)
      .concat("istio-system/*")
      .map((one) => JSON.stringify(one))
      .join();
  const more = random.chance(0.5) ? `, { hosts: [${hosts()}] }` : "";
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
${metadata("narrow", "pay")}
spec: { workloadSelector: { labels: { app: narrow } },
  egress: [{ port: { number: 80, protocol: HTTP, name: http }, hosts: [${hosts()}] }${more}] }
`;
}

const MAKERS = [serviceEntry, serviceEntry, serviceEntry, virtualService, destinationRule, sidecar];

/** A mesh whose objects change at random, and its translation. */
class ChangingMesh {
  readonly random: Random;
  readonly translator: Translator = createTranslator();
  readonly #state = new MeshState(DEFAULT_SETTINGS);
  readonly #present = new Map<string, StoredObject>();
  #clock = 1000;

  constructor(seed: number) {
    this.random = new Random(seed * 7919);
    this.#state.setWorkloads(WORKLOADS.map((one) => ({ id: workloadId(one), workload: one })));
    for (const after of objects(FIXED))
      this.#state.setConfig([{ key: keyOf(after), before: undefined, after }], 1);
    this.#state.setObserved("shop/lazy-1", CALLED);
    this.publish();
    for (const id of IDS) this.translator.preview(id);
  }

  publish(): MeshSnapshot {
    const { snapshot, changed } = this.#state.next();
    assert.deepEqual(this.translator.publish(snapshot, changed).failures, []);
    return snapshot;
  }

  /** Puts an object of this kind in, in the place of one of its name, or takes it out; the answer is both. */
  change(make: (random: Random) => string): readonly (StoredObject | undefined)[] {
    const [made] = objects(make(this.random), ++this.#clock);
    assert.ok(made);
    const key = keyOf(made);
    const before = this.#present.get(key);
    const after = before !== undefined && this.random.chance(0.5) ? undefined : made;
    if (after === undefined) this.#present.delete(key);
    else this.#present.set(key, after);
    this.#state.setConfig([{ key, before, after }], this.#clock);
    return [before, after];
  }
}

function contents(translator: Translator, id: WorkloadId): readonly string[] {
  return [...(translator.preview(id)?.types ?? [])].flatMap(([type, map]) =>
    [...map.values()].map(({ name, version }) => `${type} ${name} ${version}`).sort(),
  );
}

/** By hand: 1,000 and more. */
const SEEDS = 15;

test("with hosts in several namespaces the memoised translation equals a fresh one after any changes", () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const mesh = new ChangingMesh(seed);
    for (let step = 0; step < 10; step += 1) {
      const changes = step === 0 ? 8 : 1 + mesh.random.below(3);
      for (let change = 0; change < changes; change += 1) mesh.change(mesh.random.pick(MAKERS));
      const snapshot = mesh.publish();
      const fresh = createTranslator();
      fresh.publish(snapshot, new Set());
      for (const id of IDS) {
        const place = `seed ${seed}, step ${step}: ${id}`;
        assert.deepEqual(contents(mesh.translator, id), contents(fresh, id), place);
      }
    }
  }
});

test("what a namespace has does not follow from services that it does not see", () => {
  let [unseen, seen] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const mesh = new ChangingMesh(seed);
    for (let step = 0; step < 6; step += 1) mesh.change(mesh.random.pick(MAKERS));
    let view = viewOf(mesh.publish());
    for (let step = 0; step < 10; step += 1) {
      const before = new Map(IDS.map((id) => [id, contents(mesh.translator, id)]));
      const entries = mesh
        .change(serviceEntry)
        .flatMap((one) => (one?.kind === "ServiceEntry" ? [one as StoredObject<"ServiceEntry">] : []));
      view = viewOf(mesh.publish());
      for (const { namespace, ...one } of WORKLOADS) {
        const id = workloadId({ namespace, ...one });
        const sees = entries.some(({ spec, metadata: { namespace: owner } }) =>
          isVisible(view, { exportTo: spec.exportTo, namespace: owner }, namespace),
        );
        const now = contents(mesh.translator, id);
        if (!sees) assert.deepEqual(now, before.get(id), `seed ${seed}, step ${step}: ${id}`);
        unseen += Number(!sees);
        seen += Number(sees && now.join() !== before.get(id)?.join());
      }
    }
  }
  // Random samples have to reach what the test is about.
  assert.ok(unseen > SEEDS * 10 && seen > SEEDS * 10, `${unseen} not seen, ${seen} seen`);
});
