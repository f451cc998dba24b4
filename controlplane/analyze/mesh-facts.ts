import { isIP } from "node:net";
import { hostMatches } from "../../mesh/model/hosts.ts";
import type { Kind, StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, Service } from "../../mesh/model/service.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { ServiceEntryIndex } from "../offline/service-entry-index.ts";
import { ofKind } from "../offline/stored-objects.ts";
import { serviceFor } from "../policy/services.ts";
import { hostPatterns, patternsCovering } from "../snapshot/host-names.ts";
import { selects } from "../snapshot/labels.ts";
import type { MeshSettings, MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";

type Labels = Readonly<Record<string, string>>;

/** A mesh as analyzers see it: its objects, and the services and workloads that there are with them. */
export class MeshFacts {
  readonly settings: MeshSettings;
  readonly workloads: readonly PlacedWorkload[];
  /** Namespaces in which there is anything, and the root namespace. */
  readonly namespaces: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly #objects: readonly StoredObject[];
  readonly #services: readonly Service[];
  readonly #view: SnapshotView;
  readonly #serviceEntries: ServiceEntryIndex;
  readonly #byKind = new Map<Kind, readonly StoredObject[]>();

  /** `objects` are in Istio's order of precedence. */
  constructor(objects: readonly StoredObject[], snapshot: MeshSnapshot, now: number) {
    this.#objects = objects;
    this.now = now;
    this.settings = snapshot.settings;
    this.#services = [...snapshot.services.values()].flat();
    this.#view = viewOf(snapshot);
    this.workloads = [...snapshot.workloads.values()];
    this.#serviceEntries = new ServiceEntryIndex(this.list("ServiceEntry"));
    this.namespaces = new Set([
      snapshot.settings.rootNamespace,
      ...objects.map(({ metadata }) => metadata.namespace),
      ...this.workloads.map(({ namespace }) => namespace),
      ...this.#services.map(({ namespace }) => namespace),
    ]);
  }

  /** All of a kind, oldest first. */
  list<K extends Kind>(kind: K): readonly StoredObject<K>[] {
    const known = this.#byKind.get(kind) ?? ofKind(this.#objects, kind);
    this.#byKind.set(kind, known);
    return known as readonly StoredObject<K>[];
  }

  get objects(): readonly StoredObject[] {
    return this.#objects;
  }

  endpoints({ key }: Service): readonly Endpoint[] {
    return this.#view.endpoints(key);
  }

  /** All services of a host. */
  services(hostname: string): readonly Service[] {
    return this.#view.services(hostname);
  }

  /** The service of a host that workloads of a namespace call, unless a Sidecar says which. */
  serviceFor(hostname: string, namespace: string): Service | undefined {
    return serviceFor(this.#view, hostname, { namespace, prefers: [] });
  }

  /** The ServiceEntries that have a WorkloadEntry as an endpoint, the oldest first. */
  serviceEntriesOf(entry: StoredObject<"WorkloadEntry">): readonly StoredObject<"ServiceEntry">[] {
    return this.#serviceEntries.having(entry);
  }

  /** The fully qualified name that a host means in an object of `namespace`. */
  resolve(host: string, namespace: string): string {
    return this.findService(host, namespace)?.hostname ?? this.#patterns(host, namespace)[0] ?? host;
  }

  /**
   * The service that a host means in an object of `namespace`: the one that is called there, else one that only others may
   * see; also one with a wildcard name.
   */
  findService(host: string, namespace: string): Service | undefined {
    for (const pattern of this.#patterns(host, namespace)) {
      for (const name of patternsCovering(pattern)) {
        const found = this.serviceFor(name, namespace) ?? this.services(name)[0];
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** All services that a host, which may have a wildcard, means in an object of `namespace`, whoever may see them. */
  servicesOf(host: string, namespace: string): readonly Service[] {
    if (host.startsWith("*")) {
      return this.#services.filter(
        ({ hostname }) => hostMatches(host, hostname) || hostMatches(hostname, host),
      );
    }
    const found = this.findService(host, namespace);
    return found === undefined ? [] : this.services(found.hostname);
  }

  /** Workloads that a selector means in an object of `namespace`: all namespaces' in the root namespace. */
  selected(selector: Labels, namespace: string): readonly PlacedWorkload[] {
    return this.workloads.filter(
      (workload) =>
        (namespace === this.settings.rootNamespace || workload.namespace === namespace) &&
        selects(selector, workload.labels),
    );
  }

  /** Workloads of any namespace that a Gateway's selector means. */
  gatewayWorkloads(selector: Labels): readonly PlacedWorkload[] {
    return this.workloads.filter(({ labels }) => selects(selector, labels));
  }

  #patterns(host: string, namespace: string): readonly string[] {
    return isIP(host) !== 0 ? [host] : hostPatterns(host, namespace, this.settings);
  }
}

/** A selector as Istio prints it: `app=reviews,version=v1`. */
export function selectorText(selector: Labels): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}
