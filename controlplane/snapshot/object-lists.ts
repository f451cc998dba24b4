import type { Kind, StoredObject } from "../../mesh/model/object.ts";
import type { StoreChange } from "../store/config-store.ts";
import { ConfigIndex } from "./config-index.ts";
import { hostPatterns } from "./host-names.ts";

/** Lists of objects that translations read, each under names that it is looked up by, and the kind that is in them. */
interface KindOfList {
  /** By host, as `hostPatterns` spells it. */
  readonly "virtual-service": "VirtualService";
  /** By `namespace/name`. */
  readonly "virtual-service-named": "VirtualService";
  /** By the gateway that they are bound to: `mesh`, or `namespace/name`. */
  readonly "virtual-service-of": "VirtualService";
  /** By host. */
  readonly "destination-rule": "DestinationRule";
  /** Those with a workload selector, by namespace: it selects there alone. */
  readonly "selecting-service-entry": "ServiceEntry";
  /** The others: by namespace. */
  readonly sidecar: "Sidecar";
  readonly "envoy-filter": "EnvoyFilter";
  readonly "proxy-config": "ProxyConfig";
  readonly "peer-authentication": "PeerAuthentication";
  readonly "request-authentication": "RequestAuthentication";
  readonly "authorization-policy": "AuthorizationPolicy";
  readonly telemetry: "Telemetry";
  /** By `namespace/name`. */
  readonly secret: "Secret";
  /** All of them, under `*`. */
  readonly gateway: "Gateway";
  readonly "mesh-config": "MeshConfig";
}

export type ListName = keyof KindOfList;
export type ObjectsOf<L extends ListName> = readonly StoredObject<KindOfList[L]>[];

type NamesOf<K extends Kind> = (object: StoredObject<K>) => readonly string[];

/** The name of a list that is not divided. */
export const ALL = "*";

/** The gateway name that means the sidecars of the mesh. */
export const MESH_GATEWAY = "mesh";

const byNamespace: NamesOf<Kind> = ({ metadata }) => [metadata.namespace];
const byName: NamesOf<Kind> = ({ metadata }) => [`${metadata.namespace}/${metadata.name}`];
const all: NamesOf<Kind> = () => [ALL];

/** All lists, kept in step with the store, and which of their names have another list than before. */
export class ObjectLists {
  readonly #indexes: { readonly [L in ListName]: ConfigIndex<KindOfList[L]> };
  readonly #dirty = new Map<ListName, Set<string>>();

  constructor(settings: { readonly domainSuffix: string }) {
    const patterns = (hosts: readonly string[], namespace: string): readonly string[] => [
      ...new Set(hosts.flatMap((host) => hostPatterns(host, namespace, settings))),
    ];
    this.#indexes = {
      "virtual-service": new ConfigIndex("VirtualService", ({ spec, metadata }) =>
        patterns(spec.hosts, metadata.namespace),
      ),
      "virtual-service-named": new ConfigIndex("VirtualService", byName),
      "virtual-service-of": new ConfigIndex("VirtualService", gatewaysOf),
      "destination-rule": new ConfigIndex("DestinationRule", ({ spec, metadata }) =>
        patterns([spec.host], metadata.namespace),
      ),
      "selecting-service-entry": new ConfigIndex("ServiceEntry", (entry) =>
        entry.spec.workloadSelector === undefined ? [] : byNamespace(entry),
      ),
      sidecar: new ConfigIndex("Sidecar", byNamespace),
      "envoy-filter": new ConfigIndex("EnvoyFilter", byNamespace),
      "proxy-config": new ConfigIndex("ProxyConfig", byNamespace),
      "peer-authentication": new ConfigIndex("PeerAuthentication", byNamespace),
      "request-authentication": new ConfigIndex("RequestAuthentication", byNamespace),
      "authorization-policy": new ConfigIndex("AuthorizationPolicy", byNamespace),
      telemetry: new ConfigIndex("Telemetry", byNamespace),
      secret: new ConfigIndex("Secret", byName),
      gateway: new ConfigIndex("Gateway", all),
      "mesh-config": new ConfigIndex("MeshConfig", all),
    };
  }

  update(change: StoreChange): void {
    for (const [list, index] of Object.entries(this.#indexes) as [ListName, ConfigIndex<Kind>][]) {
      const names = index.update(change);
      if (names.size === 0) continue;
      const dirty = this.#dirty.get(list) ?? new Set();
      this.#dirty.set(list, dirty);
      for (const name of names) dirty.add(name);
    }
  }

  list<L extends ListName>(list: L, name: string): ObjectsOf<L> {
    return this.#indexes[list].list(name);
  }

  /** The lists that were updated since the last call, with their names. */
  drain(): ReadonlyMap<ListName, ReadonlySet<string>> {
    const dirty = new Map(this.#dirty);
    this.#dirty.clear();
    return dirty;
  }
}

/** The gateways that a VirtualService is bound to: names without a namespace are of its own. */
function gatewaysOf({ spec, metadata }: StoredObject<"VirtualService">): readonly string[] {
  if (spec.gateways.length === 0) return [MESH_GATEWAY];
  return [...new Set(spec.gateways.map((gateway) => gatewayKey(gateway, metadata.namespace)))];
}

/** `namespace/name` of a gateway as a VirtualService of `namespace` writes it; `mesh` stays. */
export function gatewayKey(gateway: string, namespace: string): string {
  return gateway === MESH_GATEWAY || gateway.includes("/") ? gateway : `${namespace}/${gateway}`;
}
