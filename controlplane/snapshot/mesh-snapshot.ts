import { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, Service, ServiceKey } from "../../mesh/model/service.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { NetworkEntry } from "./network-gateways.ts";
import type { ListName, ObjectsOf } from "./object-lists.ts";

/** What holds for the whole mesh. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly domainSuffix: string;
  /** Policies in this namespace hold for all others. */
  readonly rootNamespace: string;
  readonly connectTimeoutMs: number;
  /** What the MeshConfig in force says; undefined fields are the defaults. */
  readonly mesh: MeshConfigSpec;
}

/** The lists of a snapshot by name, each in Istio's order of precedence, oldest first. */
export type SnapshotLists = { readonly [L in ListName]: SharedMap<ObjectsOf<L>> };

/**
 * The whole mesh at one moment. Never changed: the next one shares every part that is still true.
 */
export interface MeshSnapshot {
  /** Grows with every snapshot. */
  readonly version: number;
  /** Revision of the config store that this snapshot has seen. */
  readonly revision: number;
  readonly settings: MeshSettings;
  /** By host name: that of a catalog or of agents first, then those of ServiceEntries, oldest first. Never empty. */
  readonly services: SharedMap<readonly Service[]>;
  /** All services: oldest first, then by name. */
  readonly hosts: readonly HostOfService[];
  /** By the key of the service, sorted by id; those that are unhealthy are in it and say so. */
  readonly endpoints: SharedMap<readonly Endpoint[]>;
  /** By the key of the service: the sorted names (URI SANs) that a server of it may present. */
  readonly identities: SharedMap<readonly string[]>;
  readonly workloads: SharedMap<PlacedWorkload>;
  /**
   * What a workload with `discovery: on-demand` has asked for, sorted: virtual hosts (`<route configuration>/<host>`) and
   * clusters.
   */
  readonly observed: SharedMap<readonly string[]>;
  /** Public keys of token issuers as JWK sets, by where they are had (`keySource`). */
  readonly keySets: SharedMap<string>;
  readonly lists: SnapshotLists;
  /**
   * By object key: the revision of a VirtualService that was in force before the newest, as long as it has not been
   * seen that this one can be.
   */
  readonly kept: SharedMap<StoredObject<"VirtualService">>;
  /** Keys of the labels by which VirtualServices and DestinationRules choose clients; sorted. */
  readonly selectedLabels: readonly string[];
  /** Where gateway workloads let other networks in. */
  readonly networkEntries: readonly NetworkEntry[];
  /** When somebody who has certificates was banned last, milliseconds since the epoch; 0: never. */
  readonly lastBanMs: number;
  /** By service, when one of its servers was (`ServerBans`). */
  readonly serverBans: SharedMap<number>;
}

/** A host that a service has, maybe not alone. */
export interface HostOfService {
  readonly hostname: string;
  readonly key: ServiceKey;
}

/** The parts of a snapshot that a translation can have read, so the unit in which changes are told. */
type SnapshotPart =
  | "service"
  | "endpoints"
  | "identities"
  | "server-ban"
  | "workload"
  | "observed"
  | "key-set"
  | "kept"
  | "mesh"
  | ListName;

/** `service/reviews.default.svc.cluster.local`, `endpoints/default/reviews.default.svc.cluster.local`, `mesh/settings`. */
export type SnapshotKey = `${SnapshotPart}/${string}`;

/** Keys of the parts that are one value for the whole mesh. */
export const SETTINGS_KEY: SnapshotKey = "mesh/settings";
export const HOSTS_KEY: SnapshotKey = "mesh/hosts";
export const SELECTED_LABELS_KEY: SnapshotKey = "mesh/selected-labels";
export const NETWORK_ENTRIES_KEY: SnapshotKey = "mesh/network-entries";
export const LAST_BAN_KEY: SnapshotKey = "mesh/last-ban";

export function emptySnapshot(settings: MeshSettings): MeshSnapshot {
  return {
    version: 0,
    revision: 0,
    settings,
    services: SharedMap.empty(),
    hosts: [],
    endpoints: SharedMap.empty(),
    identities: SharedMap.empty(),
    workloads: SharedMap.empty<PlacedWorkload>(),
    observed: SharedMap.empty(),
    keySets: SharedMap.empty(),
    lists: {
      "virtual-service": SharedMap.empty(),
      "virtual-service-named": SharedMap.empty(),
      "virtual-service-of": SharedMap.empty(),
      "destination-rule": SharedMap.empty(),
      "selecting-service-entry": SharedMap.empty(),
      sidecar: SharedMap.empty(),
      "envoy-filter": SharedMap.empty(),
      "proxy-config": SharedMap.empty(),
      "peer-authentication": SharedMap.empty(),
      "request-authentication": SharedMap.empty(),
      "authorization-policy": SharedMap.empty(),
      telemetry: SharedMap.empty(),
      secret: SharedMap.empty(),
      gateway: SharedMap.empty(),
      "mesh-config": SharedMap.empty(),
    },
    kept: SharedMap.empty(),
    selectedLabels: [],
    networkEntries: [],
    lastBanMs: 0,
    serverBans: SharedMap.empty(),
  };
}
