import { isDeepStrictEqual } from "node:util";
import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import type { Service } from "../../mesh/model/service.ts";
import type { PlacedWorkload, WorkloadId } from "../../mesh/model/workload.ts";
import type { LastBans } from "../ca/bans.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import type { StoreChange } from "../store/config-store.ts";
import { ConfigIndex } from "./config-index.ts";
import { parseServiceHostname, serviceHostname } from "./host-names.ts";
import { identitiesOf } from "./identities.ts";
import { type JoinedService, joinCatalog } from "./join-catalog.ts";
import { joinServiceEntries } from "./join-service-entry.ts";
import { KeptVirtualServices } from "./kept-virtual-services.ts";
import { KeySets } from "./key-sets.ts";
import { withMeshConfig } from "./mesh-settings.ts";
import { MeshSizes } from "./mesh-sizes.ts";
import {
  emptySnapshot,
  LAST_BAN_KEY,
  type MeshSettings,
  type MeshSnapshot,
  NETWORK_ENTRIES_KEY,
  SELECTED_LABELS_KEY,
  SETTINGS_KEY,
  type SnapshotKey,
  type SnapshotLists,
} from "./mesh-snapshot.ts";
import { addTo, removeFrom } from "./named-sets.ts";
import { isNetworkGateway, type NetworkEntry, networkEntries } from "./network-gateways.ts";
import { ALL, type ListName, ObjectLists } from "./object-lists.ts";
import { SelectedLabels } from "./selected-labels.ts";
import { labelNames, selectorName } from "./selector-names.ts";
import { ServerBans } from "./server-bans.ts";
import { type ServiceParts, withServices } from "./service-parts.ts";
import { workloadConfig } from "./snapshot-view.ts";
import { VipAllocator } from "./vip-allocator.ts";

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
  readonly #base: MeshSettings;
  #snapshot: MeshSnapshot;
  #revision = 0;
  /** Per service host name, per registry. */
  readonly #instances = new Map<string, Map<string, readonly CatalogInstance[]>>();
  readonly #workloads = new Map<WorkloadId, PlacedWorkload>();
  readonly #workloadsOf = new Map<string, Set<WorkloadId>>();
  readonly #workloadsIn = new Map<string, Set<WorkloadId>>();
  readonly #observed = new Map<WorkloadId, readonly string[]>();
  readonly keySets: KeySets = new KeySets();
  readonly #kept = new KeptVirtualServices();
  readonly #lists: ObjectLists;
  readonly #selectedLabels = new SelectedLabels();
  readonly #serviceEntries = new ConfigIndex("ServiceEntry", (one) => lowerCase(one.spec.hosts));
  readonly #selectingEntries = new ConfigIndex("ServiceEntry", (one) =>
    one.spec.workloadSelector === undefined
      ? []
      : [selectorName(one.metadata.namespace, one.spec.workloadSelector)],
  );
  readonly #workloadEntries = new ConfigIndex("WorkloadEntry", (one) =>
    labelNames(one.metadata.namespace, { ...one.metadata.labels, ...one.spec.labels }),
  );
  readonly #vips = new VipAllocator((hostname) => this.#dirty.hosts.add(hostname));
  #lastBans: LastBans = { atMs: 0, ofIdentities: new Map() };
  readonly #serverBans = new ServerBans();
  readonly #sizes: MeshSizes;
  /** Names to be looked at again by `next`. */
  readonly #dirty = {
    hosts: new Set<string>(),
    workloads: new Set<WorkloadId>(),
    observed: new Set<WorkloadId>(),
  };

  constructor(settings: MeshSettings) {
    this.#base = settings;
    this.#snapshot = emptySnapshot(settings);
    this.#lists = new ObjectLists(settings);
    this.#sizes = new MeshSizes(settings);
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
    this.#sizes.catalog(hostname, namespace, known.get(registry), instances);
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
      for (const [one, sign] of [[before, -1] as const, [workload, 1] as const]) {
        for (const name of one === undefined ? [] : labelNames(one.namespace, one.labels)) {
          this.#sizes.selectable(name, sign);
          this.#touchSelecting(name);
        }
      }
    }
  }

  /** Throws `mesh.too-large` when with these changes there would be too much. Changes nothing. */
  admit(changes: readonly StoreChange[]): void {
    this.#sizes.admit(changes);
  }

  /** `revision` is that of the store after these changes. */
  setConfig(changes: readonly StoreChange[], revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const change of changes) {
      this.#lists.update(change);
      this.setKept(change.key, change.kept);
      this.#sizes.update(change);
      this.#selectedLabels.update(change);
      for (const host of this.#serviceEntries.update(change)) this.#dirty.hosts.add(host);
      this.#selectingEntries.update(change);
      for (const name of this.#workloadEntries.update(change)) this.#touchSelecting(name);
    }
  }

  /** The revision that stays in force until the newest has shown that it can be; undefined: there is none, or it has. */
  setKept(key: ObjectKey, kept: StoredObject | undefined): void {
    const before = this.#kept.set(key, kept);
    this.#selectedLabels.update({ key, before, after: kept });
  }

  /** Virtual hosts and clusters that a workload has asked for; they stay until the workload goes. */
  setObserved(id: WorkloadId, names: readonly string[]): void {
    if (!this.#workloads.has(id)) return;
    this.#observed.set(id, names);
    this.#dirty.observed.add(id);
  }

  /** When who was banned last: proxies end what is open from before. */
  setLastBans(last: LastBans): void {
    this.#lastBans = last;
    this.#serverBans.setBans(last.ofIdentities);
  }

  /** Gives another state the catalogs and workloads of this one, `asPlaced`: everything but the objects. */
  copySources(to: MeshState, asPlaced: (workload: PlacedWorkload) => PlacedWorkload): void {
    for (const registries of this.#instances.values()) {
      for (const [registry, instances] of registries) {
        const [first] = instances;
        if (first !== undefined) to.setCatalog(registry, first.namespace, first.service, instances);
      }
    }
    to.setWorkloads([...this.#workloads].map(([id, workload]) => ({ id, workload: asPlaced(workload) })));
    for (const [id, hosts] of this.#observed) to.setObserved(id, hosts);
    this.keySets.copyTo(to.keySets);
    to.setLastBans(this.#lastBans);
  }

  /** The snapshot of all that was taken in, and how it differs from the last. Throws `mesh.too-large`. */
  next(): SnapshotChange {
    this.#sizes.check();
    const before = this.#snapshot;
    const changed = new Set<SnapshotKey>();
    const lists = this.#nextLists(changed);
    const joined = this.#rejoin(changed);
    const entries = this.#nextNetworkEntries(changed);
    this.#snapshot = {
      version: before.version + 1,
      revision: this.#revision,
      settings: this.#nextSettings(lists, changed),
      ...joined,
      workloads: this.#nextWorkloads(changed),
      observed: this.#nextObserved(changed),
      keySets: this.keySets.next(before.keySets, changed),
      kept: this.#kept.next(before.kept, changed),
      lists,
      selectedLabels: this.#selectedLabels.keys,
      networkEntries: entries,
      lastBanMs: this.#lastBans.atMs,
      serverBans: this.#serverBans.next(before.serverBans, changed),
    };
    if (this.#lastBans.atMs !== before.lastBanMs) changed.add(LAST_BAN_KEY);
    if (!sameItems(this.#snapshot.selectedLabels, before.selectedLabels)) changed.add(SELECTED_LABELS_KEY);
    return { snapshot: this.#snapshot, changed };
  }

  #nextLists(changed: Set<SnapshotKey>): SnapshotLists {
    const dirty = this.#lists.drain();
    if (dirty.size === 0) return this.#snapshot.lists;
    const lists: { [L in ListName]?: SharedMap<readonly unknown[]> } = { ...this.#snapshot.lists };
    for (const [name, keys] of dirty) {
      const part: SharedMap<readonly unknown[]> = this.#snapshot.lists[name];
      const edits: [string, readonly unknown[] | undefined][] = [];
      for (const key of keys) {
        const now = this.#lists.list(name, key);
        if (sameItems(part.get(key) ?? [], now)) continue;
        edits.push([key, now.length === 0 ? undefined : now]);
        changed.add(`${name}/${key}`);
      }
      lists[name] = part.edited(edits);
    }
    return lists as SnapshotLists;
  }

  #nextSettings(lists: SnapshotLists, changed: Set<SnapshotKey>): MeshSettings {
    const { settings, lists: before } = this.#snapshot;
    if (before["mesh-config"] === lists["mesh-config"]) return settings;
    // The oldest counts, as with everything that there should be one of.
    const [first] = lists["mesh-config"].get(ALL) ?? [];
    const next = withMeshConfig(this.#base, first?.spec ?? this.#base.mesh);
    if (isDeepStrictEqual(settings, next)) return settings;
    changed.add(SETTINGS_KEY);
    return next;
  }

  #rejoin(changed: Set<SnapshotKey>): ServiceParts {
    const byHost = new Map<string, readonly JoinedService[]>();
    // A name may move the address of another, which is then joined once more, and moves none itself.
    while (this.#dirty.hosts.size > 0)
      for (const host of drain(this.#dirty.hosts)) byHost.set(host, this.#join(host));
    const joined = [...byHost];
    for (const [host, services] of joined) this.#noteServers(host, services);
    return withServices(this.#snapshot, joined, changed);
  }

  #noteServers(hostname: string, services: readonly JoinedService[]): void {
    const { trustDomain } = this.#snapshot.settings;
    for (const { service, endpoints, withheld = [] } of services) {
      const all = { service, endpoints: withheld.length === 0 ? endpoints : [...endpoints, ...withheld] };
      this.#serverBans.served(service.key, identitiesOf(all, trustDomain));
    }
    for (const { key } of this.#snapshot.services.get(hostname) ?? [])
      if (!services.some(({ service }) => service.key === key)) this.#serverBans.gone(key);
  }

  /** All services of a host. One of a catalog or of agents beats the ServiceEntries of its namespace. */
  #join(hostname: string): readonly JoinedService[] {
    const registered = this.#joinCatalog(hostname);
    const entries = this.#serviceEntries.list(hostname);
    const described = this.#joinServiceEntries(
      hostname,
      entries.filter(({ metadata }) => metadata.namespace !== registered?.service.namespace),
    );
    const joined = registered === undefined ? described : [registered, ...described];
    if (!joined.some(({ service }) => wantsAddress(service))) this.#vips.release(hostname);
    return joined.map((one) => ({ ...one, service: this.#withAddress(one.service) }));
  }

  /** A client has one service of a host, so they can have one address. */
  #withAddress(service: Service): Service {
    if (!wantsAddress(service)) return service;
    return { ...service, addresses: [this.#vips.addressOf(service.hostname)] };
  }

  #joinCatalog(hostname: string): JoinedService | undefined {
    const { settings } = this.#snapshot;
    const parsed = parseServiceHostname(hostname, settings);
    return (
      parsed &&
      joinCatalog(
        {
          namespace: parsed.namespace,
          service: parsed.name,
          instances: [...(this.#instances.get(hostname) ?? [])].flatMap(([registry, list]) =>
            list.map((instance) => ({ ...instance, registry })),
          ),
          workloads: this.#placed(this.#workloadsOf.get(hostname)),
        },
        settings,
      )
    );
  }

  #joinServiceEntries(
    hostname: string,
    described: readonly StoredObject<"ServiceEntry">[],
  ): readonly JoinedService[] {
    return joinServiceEntries(described, hostname, ({ metadata, spec }) => ({
      entries: this.#workloadEntries.list(selectorName(metadata.namespace, spec.workloadSelector ?? {})),
      workloads: this.#placed(this.#workloadsIn.get(metadata.namespace)),
    }));
  }

  #placed(ids: ReadonlySet<WorkloadId> | undefined): readonly PlacedWorkload[] {
    return [...(ids ?? [])].flatMap((id) => this.#workloads.get(id) ?? []);
  }

  /** ServiceEntries whose selector has this label: what it selects may be other now. */
  #touchSelecting(name: string): void {
    for (const entry of this.#selectingEntries.list(name)) {
      for (const host of lowerCase(entry.spec.hosts)) this.#dirty.hosts.add(host);
    }
  }

  /** Looked at only when a gateway between networks is among what has changed; before the workloads are. */
  #nextNetworkEntries(changed: Set<SnapshotKey>): readonly NetworkEntry[] {
    const { networkEntries: before, workloads } = this.#snapshot;
    const touched = [...this.#dirty.workloads].some(
      (id) => isNetworkGateway(workloads.get(id)) || isNetworkGateway(this.#workloads.get(id)),
    );
    if (!touched) return before;
    const now = networkEntries(this.#workloads.values());
    if (isDeepStrictEqual(before, now)) return before;
    changed.add(NETWORK_ENTRIES_KEY);
    return now;
  }

  #nextWorkloads(changed: Set<SnapshotKey>): MeshSnapshot["workloads"] {
    const before = this.#snapshot.workloads;
    const edits: [WorkloadId, PlacedWorkload | undefined][] = [];
    for (const id of drain(this.#dirty.workloads)) {
      const now = this.#workloads.get(id);
      if (isDeepStrictEqual(before.get(id), now)) continue;
      edits.push([id, now]);
      const config = [before.get(id), now].map((one) => one && workloadConfig(one));
      if (!isDeepStrictEqual(config[0], config[1])) changed.add(`workload/${id}`);
      if (now === undefined && this.#observed.delete(id)) this.#dirty.observed.add(id);
    }
    return before.edited(edits);
  }

  #nextObserved(changed: Set<SnapshotKey>): MeshSnapshot["observed"] {
    const before = this.#snapshot.observed;
    const edits: [WorkloadId, readonly string[] | undefined][] = [];
    for (const id of drain(this.#dirty.observed)) {
      const now = this.#observed.get(id);
      if (isDeepStrictEqual(before.get(id), now)) continue;
      edits.push([id, now]);
      changed.add(`observed/${id}`);
    }
    return before.edited(edits);
  }

  #hostnameOf(service: string, namespace: string): string {
    return serviceHostname(service, namespace, this.#base);
  }

  #link(id: WorkloadId, workload: PlacedWorkload): void {
    this.#workloads.set(id, workload);
    addTo(this.#workloadsIn, workload.namespace, id);
    if (workload.service === "") return;
    const hostname = this.#hostnameOf(workload.service, workload.namespace);
    addTo(this.#workloadsOf, hostname, id);
    this.#sizes.workload(hostname, workload, 1);
    this.#dirty.hosts.add(hostname);
  }

  #unlink(id: WorkloadId, workload: PlacedWorkload): void {
    removeFrom(this.#workloadsIn, workload.namespace, id);
    if (workload.service === "") return;
    const hostname = this.#hostnameOf(workload.service, workload.namespace);
    removeFrom(this.#workloadsOf, hostname, id);
    this.#sizes.workload(hostname, workload, -1);
    this.#dirty.hosts.add(hostname);
  }
}

function wantsAddress({ hostname, addresses, resolution }: Service): boolean {
  return addresses.length === 0 && resolution !== "none" && !hostname.startsWith("*");
}

function lowerCase(hosts: readonly string[]): readonly string[] {
  return [...new Set(hosts.map((host) => host.toLowerCase()))];
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function drain(names: Set<string>): readonly string[] {
  const all = [...names];
  names.clear();
  return all;
}
