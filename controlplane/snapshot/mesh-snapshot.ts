import type { StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, Service } from "../../mesh/model/service.ts";
import type { PlacedWorkload, WorkloadId } from "../../mesh/model/workload.ts";

/** What holds for the whole mesh. Fixed while a server runs. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly domainSuffix: string;
  /** Policies in this namespace hold for all others. */
  readonly rootNamespace: string;
  readonly connectTimeoutMs: number;
}

export const DEFAULT_SETTINGS: MeshSettings = {
  trustDomain: "cluster.local",
  domainSuffix: "cluster.local",
  rootNamespace: "istio-system",
  connectTimeoutMs: 10_000,
};

/**
 * The whole mesh at one moment. Never changed: the next one shares every part that is still true. All lists of
 * configuration are in Istio's order of precedence, oldest first.
 */
export interface MeshSnapshot {
  /** Grows with every snapshot. */
  readonly version: number;
  /** Revision of the config store that this snapshot has seen. */
  readonly revision: number;
  readonly settings: MeshSettings;
  readonly services: ReadonlyMap<string, Service>;
  /** By host name, sorted by id; those that are unhealthy are in it and say so. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** By host name: the sorted names (URI SANs) that a server of the service may present. */
  readonly identities: ReadonlyMap<string, readonly string[]>;
  readonly workloads: ReadonlyMap<WorkloadId, PlacedWorkload>;
  /** By each host that they are for, as `hostPatterns` spells it. */
  readonly virtualServices: ReadonlyMap<string, readonly StoredObject<"VirtualService">[]>;
  readonly destinationRules: ReadonlyMap<string, readonly StoredObject<"DestinationRule">[]>;
  /** By namespace. */
  readonly peerAuthentications: ReadonlyMap<string, readonly StoredObject<"PeerAuthentication">[]>;
  readonly authorizationPolicies: ReadonlyMap<string, readonly StoredObject<"AuthorizationPolicy">[]>;
}

/** The part of a snapshot that a translation can have read, so the unit in which changes are told. */
type SnapshotPart =
  | "service"
  | "endpoints"
  | "identities"
  | "workload"
  | "virtual-service"
  | "destination-rule"
  | "peer-authentication"
  | "authorization-policy";

/** `endpoints/reviews.default.svc.cluster.local`. */
export type SnapshotKey = `${SnapshotPart}/${string}`;

export function emptySnapshot(settings: MeshSettings): MeshSnapshot {
  return {
    version: 0,
    revision: 0,
    settings,
    services: new Map(),
    endpoints: new Map(),
    identities: new Map(),
    workloads: new Map(),
    virtualServices: new Map(),
    destinationRules: new Map(),
    peerAuthentications: new Map(),
    authorizationPolicies: new Map(),
  };
}
