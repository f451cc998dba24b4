import type { Kind, StoredObject } from "../../mesh/model/object.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import type { StoreChange } from "../store/config-store.ts";
import { hostPatterns, patternsCovering } from "./host-names.ts";
import { exceeded, type MeshSize, tooLarge } from "./mesh-budget.ts";
import { ALL, gatewayKey, MESH_GATEWAY } from "./object-lists.ts";
import { PairSum } from "./pair-sum.ts";
import { PortCounts } from "./port-counts.ts";
import { labelNames, selectorName } from "./selector-names.ts";

/** Something comes, or goes. */
type Sign = 1 | -1;

type RegisteredWorkload = Pick<PlacedWorkload, "namespace" | "ports" | "catalog">;

/** Of each host. `names`: how many hosts come with it, where not all are new. */
interface HostSize {
  readonly names?: number;
  readonly ports: number;
  readonly endpoints: number;
}

/**
 * Counts what a mesh expands to, from what is written: nothing is expanded for it. Objects multiply within themselves,
 * which is a number that each has; and with each other (subsets with the ports of the hosts that they cover, endpoints
 * with the selectors that choose them, delegates with those that delegate), which is a sum of products. So a change costs
 * what it names, however large the mesh.
 */
export class MeshSizes {
  readonly #suffix: { readonly domainSuffix: string };
  readonly #own = { clusters: 0, endpoints: 0, routes: 0, imports: 0 };
  /** By host pattern: ports, and their subsets. */
  readonly #subsets = new PairSum();
  /** By host pattern: endpoints, and their subsets. */
  readonly #divided = new PairSum();
  /** By host pattern: ports, and the routes of VirtualServices. */
  readonly #routed = new PairSum();
  /** By Gateway and host pattern: servers whose hosts it covers, and the routes of VirtualServices for it. */
  readonly #served = new PairSum();
  /** The same the other way round: servers for it, and the routes of VirtualServices whose hosts it covers. */
  readonly #narrowed = new PairSum();
  /** Of services that agents register. */
  readonly #registered = new PortCounts();
  /** By name of a selector: ports of ServiceEntries, and what may be selected. */
  readonly #selected = new PairSum();
  /** By `namespace/name`: matches that delegate, and those of the delegate. */
  readonly #delegated = new PairSum();
  /** By namespace, or `*`: Sidecars that let all of it in, and its hosts. */
  readonly #imported = new PairSum();

  constructor(suffix: { readonly domainSuffix: string }) {
    this.#suffix = suffix;
  }

  get total(): MeshSize {
    const { clusters, endpoints, routes, imports } = this.#own;
    return {
      clusters: clusters + this.#subsets.total,
      endpoints: endpoints + this.#divided.total + this.#selected.total,
      routes: routes + this.#routed.total + this.#delegated.total + this.#served.total + this.#narrowed.total,
      imports: imports + this.#imported.total,
    };
  }

  /** Throws `mesh.too-large` when there is more than a server holds. */
  check(): void {
    const part = exceeded(this.total);
    if (part !== undefined) throw tooLarge(part, this.total);
  }

  /** Throws `mesh.too-large` when with these changes there would be more than a server holds, and more than now. */
  admit(changes: readonly StoreChange[]): void {
    const before = this.total;
    const after = changes.map((change) => {
      this.update(change);
      return { change, size: this.total };
    });
    for (const { key, before: old, after: young } of changes.toReversed()) {
      this.update({ key, before: young, after: old });
    }
    const size = after.at(-1)?.size ?? before;
    const part = exceeded(size, before);
    if (part === undefined) return;
    let [largest, most, last] = ["", -1, before[part]];
    for (const { change, size: next } of after) {
      if (next[part] - last > most) [largest, most] = [change.key, next[part] - last];
      last = next[part];
    }
    throw tooLarge(part, size, largest);
  }

  update({ before, after }: StoreChange): void {
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
  }

  /** One registry's instances of a service, instead of those of before. */
  catalog(
    hostname: string,
    namespace: string,
    before: readonly CatalogInstance[] = [],
    after: readonly CatalogInstance[] = [],
  ): void {
    const [old, young] = [sizeOf(before), sizeOf(after)];
    // An instance that moves or changes is the usual case, and no other size.
    if (old.ports === young.ports && old.endpoints === young.endpoints) return;
    if (old.endpoints > 0) this.#hosts([hostname], namespace, old, -1);
    if (young.endpoints > 0) this.#hosts([hostname], namespace, young, 1);
  }

  /** A workload of a service has registered, or has gone. One that a catalog lists counts there. */
  workload(hostname: string, { namespace, ports, catalog }: RegisteredWorkload, sign: Sign): void {
    if (catalog !== undefined) return;
    const numbers = ports.map(({ servicePort }) => servicePort);
    const own =
      sign > 0 ? this.#registered.add(hostname, numbers) : this.#registered.remove(hostname, numbers);
    this.#hosts([hostname], namespace, { names: own.hosts, ports: own.ports, endpoints: ports.length }, sign);
  }

  /** Something that a selector may choose has come or gone. */
  selectable(name: string, sign: Sign): void {
    this.#selected.addRight(name, sign);
  }

  #count(object: StoredObject, sign: Sign): void {
    if (isA("ServiceEntry", object)) this.#serviceEntry(object, sign);
    else if (isA("WorkloadEntry", object)) this.#workloadEntry(object, sign);
    else if (isA("DestinationRule", object)) this.#destinationRule(object, sign);
    else if (isA("VirtualService", object)) this.#virtualService(object, sign);
    else if (isA("Sidecar", object)) this.#sidecar(object, sign);
    else if (isA("Gateway", object)) this.#gateway(object, sign);
  }

  #workloadEntry({ spec, metadata }: StoredObject<"WorkloadEntry">, sign: Sign): void {
    const names = labelNames(metadata.namespace, { ...metadata.labels, ...spec.labels });
    for (const name of names) this.selectable(name, sign);
  }

  #destinationRule({ spec, metadata }: StoredObject<"DestinationRule">, sign: Sign): void {
    for (const pattern of hostPatterns(spec.host, metadata.namespace, this.#suffix)) {
      this.#subsets.addRight(pattern, sign * spec.subsets.length);
      this.#divided.addRight(pattern, sign * spec.subsets.length);
    }
  }

  #serviceEntry({ spec, metadata }: StoredObject<"ServiceEntry">, sign: Sign): void {
    const { hosts, ports, endpoints, workloadSelector } = spec;
    const { namespace } = metadata;
    const perHost = { ports: ports.length, endpoints: ports.length * Math.max(1, endpoints.length) };
    this.#hosts(hosts, namespace, perHost, sign);
    if (workloadSelector === undefined) return;
    this.#selected.addLeft(selectorName(namespace, workloadSelector), sign * hosts.length * ports.length);
  }

  #hosts(
    hosts: readonly string[],
    namespace: string,
    { names = hosts.length, ports, endpoints }: HostSize,
    sign: Sign,
  ): void {
    this.#own.clusters += sign * hosts.length * ports;
    this.#own.endpoints += sign * hosts.length * endpoints;
    for (const key of [namespace, ALL]) this.#imported.addRight(key, sign * names);
    for (const pattern of hosts.flatMap((host) => patternsCovering(host.toLowerCase()))) {
      this.#subsets.addLeft(pattern, sign * ports);
      this.#divided.addLeft(pattern, sign * endpoints);
      this.#routed.addLeft(pattern, sign * ports);
    }
  }

  #virtualService({ spec, metadata }: StoredObject<"VirtualService">, sign: Sign): void {
    const { hosts, http, tls, tcp } = spec;
    const { namespace, name } = metadata;
    const own = http.filter(({ delegate }) => delegate === undefined);
    const matches = [...own, ...tls, ...tcp].reduce((sum, route) => sum + matchesOf(route), 0);
    this.#own.routes += sign * hosts.length * matches;
    const patterns = hosts.flatMap((host) => hostPatterns(host, namespace, this.#suffix));
    for (const pattern of patterns) this.#routed.addRight(pattern, sign * matches);
    for (const gateway of spec.gateways.filter((one) => one !== MESH_GATEWAY)) {
      const at = (pattern: string): string => `${gatewayKey(gateway, namespace)} ${pattern}`;
      for (const pattern of patterns) {
        this.#served.addRight(at(pattern), sign * matches);
        const [, ...wider] = patternsCovering(pattern);
        for (const one of wider) this.#narrowed.addRight(at(one), sign * matches);
      }
    }
    if (hosts.length === 0) this.#delegated.addRight(`${namespace}/${name}`, sign * matches);
    for (const { delegate, match } of http) {
      if (delegate === undefined) continue;
      const key = `${delegate.namespace || namespace}/${delegate.name}`;
      this.#delegated.addLeft(key, sign * hosts.length * Math.max(1, match.length));
    }
  }

  #gateway({ spec, metadata }: StoredObject<"Gateway">, sign: Sign): void {
    const key = `${metadata.namespace}/${metadata.name}`;
    for (const { hosts, tls } of spec.servers) {
      this.#own.routes += sign * hosts.length;
      for (const host of hosts.map((one) => one.host.toLowerCase())) {
        for (const pattern of patternsCovering(host)) this.#served.addLeft(`${key} ${pattern}`, sign);
        this.#narrowed.addLeft(`${key} ${host}`, sign);
        // What is led on by its server name has a chain and a cluster for each port and subset that the host covers.
        if (tls?.mode === "AUTO_PASSTHROUGH") this.#subsets.addRight(host, sign);
      }
    }
  }

  #sidecar({ spec, metadata }: StoredObject<"Sidecar">, sign: Sign): void {
    this.#own.clusters += sign * spec.ingress.length;
    for (const { namespace, host } of spec.egress.flatMap(({ hosts }) => hosts)) {
      if (namespace === "~") continue;
      if (!host.startsWith("*")) this.#own.imports += sign;
      else this.#imported.addLeft(namespace === "." ? metadata.namespace : namespace, sign);
    }
  }
}

/** Of one host. */
function sizeOf(instances: readonly CatalogInstance[]): HostSize {
  return {
    ports: new Set(instances.map(({ servicePort }) => servicePort)).size,
    endpoints: instances.length,
  };
}

function isA<K extends Kind>(kind: K, object: StoredObject): object is StoredObject<K> {
  return object.kind === kind;
}

/** A route without matches has one: everything. */
function matchesOf({ match }: { readonly match: readonly unknown[] }): number {
  return Math.max(1, match.length);
}
