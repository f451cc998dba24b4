import assert from "node:assert/strict";
import type { CatalogInstance } from "../../controlplane/registry/registry.ts";
import { DEFAULT_SETTINGS } from "../../controlplane/snapshot/mesh-settings.ts";
import type { MeshSettings } from "../../controlplane/snapshot/mesh-snapshot.ts";
import { MeshState } from "../../controlplane/snapshot/mesh-state.ts";
import type { StoreChange } from "../../controlplane/store/config-store.ts";
import { objectKey, type StoredObject } from "../../mesh/model/object.ts";
import { parseDocuments } from "../../mesh/model/parse-documents.ts";
import { type PlacedWorkload, type WorkloadPort, workloadId } from "../../mesh/model/workload.ts";

/** Objects from YAML as a store would have them: the first is the oldest. Fails on what the model refuses. */
export function objects(yaml: string, firstCreatedAt = 1): readonly StoredObject[] {
  const { objects: parsed, violations } = parseDocuments(yaml, { defaultNamespace: "default" });
  const errors = violations.filter(({ severity }) => severity === "error");
  assert.deepEqual(errors, [], "the sample is valid");
  return parsed.map((object, index) => ({
    ...object,
    createdAt: firstCreatedAt + index,
    revision: firstCreatedAt + index,
    origin: "api",
  }));
}

export function added(list: readonly StoredObject[]): readonly StoreChange[] {
  return list.map((after) => ({
    key: objectKey(after.kind, after.metadata.namespace, after.metadata.name),
    before: undefined,
    after,
  }));
}

export function instance(service: string, over: Partial<CatalogInstance> = {}): CatalogInstance {
  return {
    id: `${service}-1`,
    service,
    namespace: "default",
    node: "node-1",
    address: "10.0.0.1",
    port: 9080,
    servicePort: undefined,
    protocol: "http",
    labels: {},
    healthy: true,
    weight: 1,
    locality: "",
    ...over,
  };
}

export function port(over: Partial<WorkloadPort> = {}): WorkloadPort {
  return {
    name: "http-9080",
    protocol: "http",
    servicePort: 9080,
    inbound: { address: "10.0.0.1", port: 9080 },
    app: { address: "127.0.0.1", port: 9080 },
    ...over,
  };
}

/** What a workload is that asked for nothing more. */
export const PLAIN_SIDECAR = {
  network: "",
  role: "sidecar",
  interception: "none",
  capturedAt: undefined,
  discovery: "upstreams",
  httpProxy: undefined,
  vips: "none",
  reportsCalls: false,
  mtls: undefined,
} as const;

export function workload(service: string, over: Partial<PlacedWorkload> = {}): PlacedWorkload {
  return {
    name: `${service}-1`,
    namespace: "default",
    service,
    serviceAccount: service,
    labels: { app: service },
    ports: [port()],
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    ...PLAIN_SIDECAR,
    dataPlane: "builtin",
    catalog: undefined,
    group: undefined,
    agentId: "agent-1",
    registeredAt: 1,
    banned: false,
    ...over,
  };
}

export interface SampleParts {
  readonly yaml?: string;
  readonly workloads?: readonly PlacedWorkload[];
  readonly instances?: readonly CatalogInstance[];
  readonly settings?: Partial<MeshSettings>;
}

/** A state that has taken all parts in. Instances are those of a registry named `consul`. */
export function sampleState({ yaml = "", workloads = [], instances = [], settings }: SampleParts): MeshState {
  const state = new MeshState({ ...DEFAULT_SETTINGS, ...settings });
  const list = yaml === "" ? [] : objects(yaml);
  state.setConfig(added(list), list.length);
  state.setWorkloads(workloads.map((one) => ({ id: workloadId(one), workload: one })));
  const services = Map.groupBy(instances, ({ namespace, service }) => `${namespace}/${service}`);
  for (const members of services.values()) {
    const [first] = members;
    if (first !== undefined) state.setCatalog("consul", first.namespace, first.service, members);
  }
  return state;
}

/** Bookinfo's productpage, reviews (three versions), ratings (TCP-speaking `ratingsdb` behind it) on hosts of their own. */
export function bookinfoWorkloads(): readonly PlacedWorkload[] {
  const at = (address: string, over: Partial<WorkloadPort> = {}): WorkloadPort[] => [
    port({ inbound: { address, port: 9080 }, ...over }),
  ];
  const bind = (number: number): { address: string; port: number } => ({
    address: "127.0.0.1",
    port: number,
  });
  const reviews = ["v1", "v2", "v3"].map((version, index) =>
    workload("reviews", {
      name: `reviews-${version}`,
      labels: { app: "reviews", version },
      ports: at(`10.0.1.${index + 1}`),
      upstreams: [{ host: "ratings", port: 9080, bind: bind(9083) }],
    }),
  );
  return [
    workload("productpage", {
      labels: { app: "productpage", version: "v1" },
      ports: at("10.0.0.1"),
      upstreams: [
        { host: "reviews", port: 9080, bind: bind(9082) },
        { host: "details", port: 9080, bind: bind(9081) },
        { host: "ratingsdb", port: 5432, bind: bind(5432) },
      ],
    }),
    ...reviews,
    workload("details", { ports: at("10.0.2.1") }),
    workload("ratings", {
      ports: at("10.0.3.1"),
      upstreams: [{ host: "ratingsdb", port: 5432, bind: bind(5432) }],
    }),
    workload("ratingsdb", {
      ports: at("10.0.4.1", {
        name: "tcp-5432",
        protocol: "tcp",
        servicePort: 5432,
        inbound: { address: "10.0.4.1", port: 5432 },
        app: { address: "127.0.0.1", port: 5432 },
      }),
    }),
  ];
}
