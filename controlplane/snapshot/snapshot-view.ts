import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, Service, ServiceKey } from "../../mesh/model/service.ts";
import type { PlacedWorkload, WorkloadId } from "../../mesh/model/workload.ts";
import {
  HOSTS_KEY,
  type HostOfService,
  LAST_BAN_KEY,
  type MeshSettings,
  type MeshSnapshot,
  NETWORK_ENTRIES_KEY,
  SELECTED_LABELS_KEY,
  SETTINGS_KEY,
  type SnapshotKey,
} from "./mesh-snapshot.ts";
import type { NetworkEntry } from "./network-gateways.ts";
import { ALL, type ListName, type ObjectsOf } from "./object-lists.ts";

/** The part of a workload that its configuration follows from: what changes with its health or load is not in it. */
export type WorkloadConfig = Omit<
  PlacedWorkload,
  "healthy" | "weight" | "catalog" | "agentId" | "registeredAt" | "banned"
>;

export function workloadConfig(workload: PlacedWorkload): WorkloadConfig {
  const {
    healthy: _,
    weight: _weight,
    catalog: _catalog,
    agentId: _agent,
    registeredAt: _at,
    banned: _banned,
    ...config
  } = workload;
  return config;
}

/** How policies and translations read a snapshot: by single keys, so that it can be recorded what they read. */
export interface SnapshotView {
  readonly settings: MeshSettings;
  /** All services, oldest first. */
  readonly hosts: readonly HostOfService[];
  /** Keys of the labels by which VirtualServices and DestinationRules choose clients. */
  readonly selectedLabels: readonly string[];
  /** Where gateway workloads let other networks in. */
  readonly networkEntries: readonly NetworkEntry[];
  /** When somebody was banned last; 0: never. */
  readonly lastBanMs: number;
  /** When one of a service's servers was banned last; 0: never. */
  lastServerBan(service: ServiceKey): number;
  /** All services of a host, whoever may see them: `serviceFor` says which one is meant. */
  services(hostname: string): readonly Service[];
  endpoints(service: ServiceKey): readonly Endpoint[];
  identities(service: ServiceKey): readonly string[];
  workload(id: WorkloadId): WorkloadConfig | undefined;
  observed(id: WorkloadId): readonly string[];
  /** By host, as `patternsCovering` spells it. */
  virtualServices(pattern: string): ObjectsOf<"virtual-service">;
  /** By `namespace/name`, for delegates. */
  virtualServiceNamed(key: string): ObjectsOf<"virtual-service-named">[number] | undefined;
  /** What stays in force of an object until its newest revision has shown that it can: see `MeshSnapshot.kept`. */
  kept(key: ObjectKey): StoredObject<"VirtualService"> | undefined;
  /** Bound to a gateway, `namespace/name` or `mesh`. */
  virtualServicesOf(gateway: string): ObjectsOf<"virtual-service-of">;
  destinationRules(pattern: string): ObjectsOf<"destination-rule">;
  selectingServiceEntries(namespace: string): ObjectsOf<"selecting-service-entry">;
  sidecars(namespace: string): ObjectsOf<"sidecar">;
  envoyFilters(namespace: string): ObjectsOf<"envoy-filter">;
  proxyConfigs(namespace: string): ObjectsOf<"proxy-config">;
  peerAuthentications(namespace: string): ObjectsOf<"peer-authentication">;
  requestAuthentications(namespace: string): ObjectsOf<"request-authentication">;
  /** The keys that are had from there, as a JWK set. */
  keySet(source: string): string | undefined;
  authorizationPolicies(namespace: string): ObjectsOf<"authorization-policy">;
  telemetries(namespace: string): ObjectsOf<"telemetry">;
  /** Of all namespaces. */
  gateways(): ObjectsOf<"gateway">;
  /** By `namespace/name`. */
  secret(key: string): ObjectsOf<"secret">[number] | undefined;
}

/** Reads a snapshot and tells each key before it is read. What is absent is read too: it may come. */
export function viewOf(snapshot: MeshSnapshot, onRead: (key: SnapshotKey) => void = () => {}): SnapshotView {
  return new View(snapshot, onRead);
}

/** Its methods are the class's: views are made by the ten thousand. Others inherit from one (`withHeld`), so it has no `#`. */
class View implements SnapshotView {
  private readonly snapshot: MeshSnapshot;
  private readonly onRead: (key: SnapshotKey) => void;

  constructor(snapshot: MeshSnapshot, onRead: (key: SnapshotKey) => void) {
    this.snapshot = snapshot;
    this.onRead = onRead;
  }

  get settings(): MeshSettings {
    this.onRead(SETTINGS_KEY);
    return this.snapshot.settings;
  }

  get hosts(): readonly HostOfService[] {
    this.onRead(HOSTS_KEY);
    return this.snapshot.hosts;
  }

  get selectedLabels(): readonly string[] {
    this.onRead(SELECTED_LABELS_KEY);
    return this.snapshot.selectedLabels;
  }

  get networkEntries(): readonly NetworkEntry[] {
    this.onRead(NETWORK_ENTRIES_KEY);
    return this.snapshot.networkEntries;
  }

  get lastBanMs(): number {
    this.onRead(LAST_BAN_KEY);
    return this.snapshot.lastBanMs;
  }

  lastServerBan(key: ServiceKey): number {
    return this.read(this.snapshot.serverBans, `server-ban/${key}`, key) ?? 0;
  }

  services(hostname: string): readonly Service[] {
    return this.read(this.snapshot.services, `service/${hostname}`, hostname) ?? [];
  }

  endpoints(key: ServiceKey): readonly Endpoint[] {
    return this.read(this.snapshot.endpoints, `endpoints/${key}`, key) ?? [];
  }

  identities(key: ServiceKey): readonly string[] {
    return this.read(this.snapshot.identities, `identities/${key}`, key) ?? [];
  }

  workload(id: WorkloadId): WorkloadConfig | undefined {
    return this.read(this.snapshot.workloads, `workload/${id}`, id);
  }

  observed(id: WorkloadId): readonly string[] {
    return this.read(this.snapshot.observed, `observed/${id}`, id) ?? [];
  }

  virtualServices(pattern: string): ObjectsOf<"virtual-service"> {
    return this.list("virtual-service", pattern);
  }

  virtualServiceNamed(key: string): ObjectsOf<"virtual-service-named">[number] | undefined {
    return this.list("virtual-service-named", key)[0];
  }

  kept(key: ObjectKey): StoredObject<"VirtualService"> | undefined {
    return this.read(this.snapshot.kept, `kept/${key}`, key);
  }

  virtualServicesOf(gateway: string): ObjectsOf<"virtual-service-of"> {
    return this.list("virtual-service-of", gateway);
  }

  destinationRules(pattern: string): ObjectsOf<"destination-rule"> {
    return this.list("destination-rule", pattern);
  }

  selectingServiceEntries(namespace: string): ObjectsOf<"selecting-service-entry"> {
    return this.list("selecting-service-entry", namespace);
  }

  sidecars(namespace: string): ObjectsOf<"sidecar"> {
    return this.list("sidecar", namespace);
  }

  envoyFilters(namespace: string): ObjectsOf<"envoy-filter"> {
    return this.list("envoy-filter", namespace);
  }

  proxyConfigs(namespace: string): ObjectsOf<"proxy-config"> {
    return this.list("proxy-config", namespace);
  }

  peerAuthentications(namespace: string): ObjectsOf<"peer-authentication"> {
    return this.list("peer-authentication", namespace);
  }

  requestAuthentications(namespace: string): ObjectsOf<"request-authentication"> {
    return this.list("request-authentication", namespace);
  }

  keySet(source: string): string | undefined {
    return this.read(this.snapshot.keySets, `key-set/${source}`, source);
  }

  authorizationPolicies(namespace: string): ObjectsOf<"authorization-policy"> {
    return this.list("authorization-policy", namespace);
  }

  telemetries(namespace: string): ObjectsOf<"telemetry"> {
    return this.list("telemetry", namespace);
  }

  gateways(): ObjectsOf<"gateway"> {
    return this.list("gateway", ALL);
  }

  secret(key: string): ObjectsOf<"secret">[number] | undefined {
    return this.list("secret", key)[0];
  }

  private read<T>(part: SharedMap<T>, key: SnapshotKey, name: string): T | undefined {
    this.onRead(key);
    return part.get(name);
  }

  private list<L extends ListName>(part: L, name: string): ObjectsOf<L> {
    return this.read(this.snapshot.lists[part], `${part}/${name}`, name) ?? [];
  }
}
