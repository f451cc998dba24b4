import { isDeepStrictEqual } from "node:util";
import type { PlacedWorkload, WorkloadId } from "../../mesh/model/workload.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import type { StoreChange } from "../store/config-store.ts";
import { ConfigIndex } from "./config-index.ts";
import { hostPatterns, parseServiceHostname, serviceHostname } from "./host-names.ts";
import { identitiesOf } from "./identities.ts";
import { type JoinedService, joinCatalog } from "./join-catalog.ts";
import { joinServiceEntry } from "./join-service-entry.ts";
import { emptySnapshot, type MeshSettings, type MeshSnapshot, type SnapshotKey } from "./mesh-snapshot.ts";
import { workloadConfig } from "./snapshot-view.ts";

export interface WorkloadChange {
  readonly id: WorkloadId;
  /** Undefined: it is gone. */
  readonly workload: PlacedWorkload | undefined;
}

export interface SnapshotChange {
  readonly snapshot: MeshSnapshot;
  /** What is not as it was in the snapshot before. Empty when nothing that matters has changed. */
  readonly changed: ReadonlySet<SnapshotKey>;
}

/**
 * Takes in what changes, one change at a time and in any order, and makes the next snapshot from it. Only what a change
 * touches is joined again; everything else is shared with the snapshot before.
 */
export class MeshState {
  #snapshot: MeshSnapshot;
  #revision = 0;
  /** Per service host name, per registry. */
  readonly #instances = new Map<string, Map<string, readonly CatalogInstance[]>>();
  readonly #workloads = new Map<WorkloadId, PlacedWorkload>();
  readonly #workloadsOf = new Map<string, Set<WorkloadId>>();
  readonly #virtualServices: ConfigIndex<"VirtualService">;
  readonly #destinationRules: ConfigIndex<"DestinationRule">;
  readonly #peerAuthentications = new ConfigIndex("PeerAuthentication", (one) => [one.metadata.namespace]);
  readonly #authorizationPolicies = new ConfigIndex("AuthorizationPolicy", (one) => [one.metadata.namespace]);
  readonly #serviceEntries = new ConfigIndex("ServiceEntry", (one) => lowerCase(one.spec.hosts));
  readonly #selectingEntries = new ConfigIndex("ServiceEntry", (one) =>
    one.spec.workloadSelector === undefined ? [] : [one.metadata.namespace],
  );
  readonly #workloadEntries = new ConfigIndex("WorkloadEntry", (one) => [one.metadata.namespace]);
  /** Names to be looked at again by `next`. */
  readonly #dirty = {
    hosts: new Set<string>(),
    workloads: new Set<WorkloadId>(),
    virtualServices: new Set<string>(),
    destinationRules: new Set<string>(),
    peerAuthentications: new Set<string>(),
    authorizationPolicies: new Set<string>(),
  };

  constructor(settings: MeshSettings) {
    this.#snapshot = emptySnapshot(settings);
    const patterns = (hosts: readonly string[], namespace: string): readonly string[] => [
      ...new Set(hosts.flatMap((host) => hostPatterns(host, namespace, settings))),
    ];
    this.#virtualServices = new ConfigIndex("VirtualService", ({ spec, metadata }) =>
      patterns(spec.hosts, metadata.namespace),
    );
    this.#destinationRules = new ConfigIndex("DestinationRule", ({ spec, metadata }) =>
      patterns([spec.host], metadata.namespace),
    );
  }

  /** All instances that a registry has of one service; none means that it has the service no longer. */
  setCatalog(
    registry: string,
    namespace: string,
    service: string,
    instances: readonly CatalogInstance[],
  ): void {
    const hostname = this.#hostnameOf(service, namespace);
    const known = this.#instances.get(hostname) ?? new Map<string, readonly CatalogInstance[]>();
    if (instances.length === 0) known.delete(registry);
    else known.set(registry, instances);
    if (known.size === 0) this.#instances.delete(hostname);
    else this.#instances.set(hostname, known);
    this.#dirty.hosts.add(hostname);
  }

  setWorkloads(changes: readonly WorkloadChange[]): void {
    for (const { id, workload } of changes) {
      const before = this.#workloads.get(id);
      if (before !== undefined) this.#unlink(id, before);
      if (workload === undefined) this.#workloads.delete(id);
      else this.#link(id, workload);
      this.#dirty.workloads.add(id);
    }
  }

  /** `revision` is that of the store after these changes. */
  setConfig(changes: readonly StoreChange[], revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const change of changes) {
      addAll(this.#dirty.virtualServices, this.#virtualServices.update(change));
      addAll(this.#dirty.destinationRules, this.#destinationRules.update(change));
      addAll(this.#dirty.peerAuthentications, this.#peerAuthentications.update(change));
      addAll(this.#dirty.authorizationPolicies, this.#authorizationPolicies.update(change));
      addAll(this.#dirty.hosts, this.#serviceEntries.update(change));
      this.#selectingEntries.update(change);
      for (const namespace of this.#workloadEntries.update(change)) {
        for (const entry of this.#selectingEntries.list(namespace)) {
          addAll(this.#dirty.hosts, lowerCase(entry.spec.hosts));
        }
      }
    }
  }

  /** The snapshot of everything taken in so far, and in what it differs from the one of the call before. */
  next(): SnapshotChange {
    const before = this.#snapshot;
    const changed = new Set<SnapshotKey>();
    const hosts = this.#rejoin(changed);
    const workloads = this.#nextWorkloads(changed);
    const indexed = <T>(
      part: ReadonlyMap<string, readonly T[]>,
      key: "virtual-service" | "destination-rule" | "peer-authentication" | "authorization-policy",
      dirty: Set<string>,
      list: (name: string) => readonly T[],
    ): ReadonlyMap<string, readonly T[]> => {
      const edits = new Map<string, readonly T[] | undefined>();
      for (const name of drain(dirty)) {
        const now = list(name);
        if (sameItems(part.get(name) ?? [], now)) continue;
        edits.set(name, now.length === 0 ? undefined : now);
        changed.add(`${key}/${name}`);
      }
      return edited(part, edits);
    };
    const dirty = this.#dirty;
    this.#snapshot = {
      version: before.version + 1,
      revision: this.#revision,
      settings: before.settings,
      ...hosts,
      workloads,
      virtualServices: indexed(before.virtualServices, "virtual-service", dirty.virtualServices, (name) =>
        this.#virtualServices.list(name),
      ),
      destinationRules: indexed(before.destinationRules, "destination-rule", dirty.destinationRules, (name) =>
        this.#destinationRules.list(name),
      ),
      peerAuthentications: indexed(
        before.peerAuthentications,
        "peer-authentication",
        dirty.peerAuthentications,
        (name) => this.#peerAuthentications.list(name),
      ),
      authorizationPolicies: indexed(
        before.authorizationPolicies,
        "authorization-policy",
        dirty.authorizationPolicies,
        (name) => this.#authorizationPolicies.list(name),
      ),
    };
    return { snapshot: this.#snapshot, changed };
  }

  #rejoin(changed: Set<SnapshotKey>): Pick<MeshSnapshot, "services" | "endpoints" | "identities"> {
    const { services, endpoints, identities, settings } = this.#snapshot;
    const edits = {
      services: new Map<string, JoinedService["service"] | undefined>(),
      endpoints: new Map<string, JoinedService["endpoints"] | undefined>(),
      identities: new Map<string, readonly string[] | undefined>(),
    };
    for (const host of drain(this.#dirty.hosts)) {
      const joined = this.#join(host);
      const names = joined && identitiesOf(joined, settings.trustDomain);
      if (!isDeepStrictEqual(services.get(host), joined?.service)) {
        edits.services.set(host, joined?.service);
        changed.add(`service/${host}`);
      }
      if (!isDeepStrictEqual(endpoints.get(host), joined?.endpoints)) {
        edits.endpoints.set(host, joined?.endpoints);
        changed.add(`endpoints/${host}`);
      }
      if (!isDeepStrictEqual(identities.get(host), names)) {
        edits.identities.set(host, names);
        changed.add(`identities/${host}`);
      }
    }
    return {
      services: edited(services, edits.services),
      endpoints: edited(endpoints, edits.endpoints),
      identities: edited(identities, edits.identities),
    };
  }

  /** A service of a catalog or of agents beats a ServiceEntry for its name; else the oldest entry has it. */
  #join(hostname: string): JoinedService | undefined {
    const { settings } = this.#snapshot;
    const parsed = parseServiceHostname(hostname, settings);
    const found =
      parsed &&
      joinCatalog(
        {
          namespace: parsed.namespace,
          service: parsed.name,
          instances: [...(this.#instances.get(hostname) ?? [])].flatMap(([registry, list]) =>
            list.map((instance) => ({ ...instance, registry })),
          ),
          workloads: [...(this.#workloadsOf.get(hostname) ?? [])].flatMap(
            (id) => this.#workloads.get(id) ?? [],
          ),
        },
        settings,
      );
    if (found !== undefined) return found;
    const entry = this.#serviceEntries.list(hostname)[0];
    return entry && joinServiceEntry(entry, hostname, this.#workloadEntries.list(entry.metadata.namespace));
  }

  #nextWorkloads(changed: Set<SnapshotKey>): MeshSnapshot["workloads"] {
    const before = this.#snapshot.workloads;
    const edits = new Map<WorkloadId, PlacedWorkload | undefined>();
    for (const id of drain(this.#dirty.workloads)) {
      const now = this.#workloads.get(id);
      if (isDeepStrictEqual(before.get(id), now)) continue;
      edits.set(id, now);
      const config = [before.get(id), now].map((one) => one && workloadConfig(one));
      if (!isDeepStrictEqual(config[0], config[1])) changed.add(`workload/${id}`);
    }
    return edited(before, edits);
  }

  #hostnameOf(service: string, namespace: string): string {
    return serviceHostname(service, namespace, this.#snapshot.settings);
  }

  #link(id: WorkloadId, workload: PlacedWorkload): void {
    this.#workloads.set(id, workload);
    const hostname = this.#hostnameOf(workload.service, workload.namespace);
    const known = this.#workloadsOf.get(hostname) ?? new Set();
    this.#workloadsOf.set(hostname, known.add(id));
    this.#dirty.hosts.add(hostname);
  }

  #unlink(id: WorkloadId, workload: PlacedWorkload): void {
    const hostname = this.#hostnameOf(workload.service, workload.namespace);
    const known = this.#workloadsOf.get(hostname);
    known?.delete(id);
    if (known?.size === 0) this.#workloadsOf.delete(hostname);
    this.#dirty.hosts.add(hostname);
  }
}

function lowerCase(hosts: readonly string[]): readonly string[] {
  return [...new Set(hosts.map((host) => host.toLowerCase()))];
}

function edited<T>(
  before: ReadonlyMap<string, T>,
  edits: ReadonlyMap<string, T | undefined>,
): ReadonlyMap<string, T> {
  if (edits.size === 0) return before;
  const after = new Map(before);
  for (const [key, value] of edits) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function addAll(target: Set<string>, names: Iterable<string>): void {
  for (const name of names) target.add(name);
}

function drain(names: Set<string>): readonly string[] {
  const all = [...names];
  names.clear();
  return all;
}
