import type { StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, Service } from "../../mesh/model/service.ts";
import type { PlacedWorkload, WorkloadId } from "../../mesh/model/workload.ts";
import type { MeshSettings, MeshSnapshot, SnapshotKey } from "./mesh-snapshot.ts";

/** The part of a workload that its configuration follows from: what changes with its health or load is not in it. */
export type WorkloadConfig = Pick<
  PlacedWorkload,
  "name" | "namespace" | "service" | "serviceAccount" | "labels" | "ports" | "upstreams" | "dataPlane"
>;

export function workloadConfig(workload: PlacedWorkload): WorkloadConfig {
  const { name, namespace, service, serviceAccount, labels, ports, upstreams, dataPlane } = workload;
  return { name, namespace, service, serviceAccount, labels, ports, upstreams, dataPlane };
}

/** How policies and translations read a snapshot: by single keys, so that it can be recorded what they read. */
export interface SnapshotView {
  readonly settings: MeshSettings;
  service(hostname: string): Service | undefined;
  endpoints(hostname: string): readonly Endpoint[];
  identities(hostname: string): readonly string[];
  workload(id: WorkloadId): WorkloadConfig | undefined;
  virtualServices(pattern: string): readonly StoredObject<"VirtualService">[];
  destinationRules(pattern: string): readonly StoredObject<"DestinationRule">[];
  peerAuthentications(namespace: string): readonly StoredObject<"PeerAuthentication">[];
  authorizationPolicies(namespace: string): readonly StoredObject<"AuthorizationPolicy">[];
}

/** Reads a snapshot and tells each key before it is read. What is absent is read too: it may come. */
export function viewOf(snapshot: MeshSnapshot, onRead: (key: SnapshotKey) => void = () => {}): SnapshotView {
  const read = <T>(part: ReadonlyMap<string, T>, key: SnapshotKey, name: string): T | undefined => {
    onRead(key);
    return part.get(name);
  };
  return {
    settings: snapshot.settings,
    service: (name) => read(snapshot.services, `service/${name}`, name),
    endpoints: (name) => read(snapshot.endpoints, `endpoints/${name}`, name) ?? [],
    identities: (name) => read(snapshot.identities, `identities/${name}`, name) ?? [],
    workload: (id) => read(snapshot.workloads, `workload/${id}`, id),
    virtualServices: (name) => read(snapshot.virtualServices, `virtual-service/${name}`, name) ?? [],
    destinationRules: (name) => read(snapshot.destinationRules, `destination-rule/${name}`, name) ?? [],
    peerAuthentications: (name) =>
      read(snapshot.peerAuthentications, `peer-authentication/${name}`, name) ?? [],
    authorizationPolicies: (name) =>
      read(snapshot.authorizationPolicies, `authorization-policy/${name}`, name) ?? [],
  };
}
