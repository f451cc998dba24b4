import type { NomadRegistration } from "../../../mesh/nomad/nomad-services.ts";
import type { ServiceChange } from "../../../mesh/nomad/service-changes.ts";

/** A service of one of Nomad's namespaces. */
export interface ServiceKey {
  readonly namespace: string;
  readonly service: string;
}

/**
 * Native services as Nomad says they are: whole lists of one service, and the changes since. A change that a list has in it
 * already is passed over, so that lists and changes may come in any order.
 */
export class ServiceBook {
  /** By service, by namespace, by id. */
  readonly #services = new Map<string, Map<string, ReadonlyMap<string, NomadRegistration>>>();
  /** Up to which index each service's list reaches, and all others'. */
  readonly #listed = new Map<string, number>();
  /** The index of each service's newest change. */
  readonly #changed = new Map<string, number>();
  #floor = 0;

  /** Of one name, in all namespaces. */
  registrationsOf(service: string): readonly NomadRegistration[] {
    const spaces = [...(this.#services.get(service)?.values() ?? [])];
    return spaces.flatMap((registrations) => [...registrations.values()]);
  }

  /** The services of each allocation. */
  allocations(): ReadonlyMap<string, ReadonlySet<string>> {
    const found = new Map<string, Set<string>>();
    for (const service of this.#services.keys()) {
      for (const { allocationId } of this.registrationsOf(service)) {
        const known = found.get(allocationId);
        if (known === undefined) found.set(allocationId, new Set([service]));
        else known.add(service);
      }
    }
    return found;
  }

  /** All registrations of one service, as of an index. False: a change is newer than the list, which does not count. */
  list(key: ServiceKey, registrations: readonly NomadRegistration[], index: number): boolean {
    if ((this.#changed.get(textOf(key)) ?? 0) > index) return false;
    this.#listed.set(textOf(key), index);
    this.#put(key, new Map(registrations.map((one) => [one.id, one])));
    return true;
  }

  /** Nomad has these services and no others, as of an index. Returns the names of those that it no longer has. */
  keepOnly(keys: readonly ServiceKey[], index: number): readonly string[] {
    const wanted = new Set(keys.map(textOf));
    const known = [...this.#services].flatMap(([service, spaces]) =>
      [...spaces.keys()].map((namespace): ServiceKey => ({ namespace, service })),
    );
    const gone = known.filter(
      (key) => !wanted.has(textOf(key)) && (this.#changed.get(textOf(key)) ?? 0) <= index,
    );
    for (const key of gone) this.#put(key, new Map());
    for (const text of this.#listed.keys()) if (!wanted.has(text)) this.#listed.delete(text);
    for (const [text, at] of this.#changed) if (at <= index) this.#changed.delete(text);
    this.#floor = index;
    return gone.map(({ service }) => service);
  }

  /** Whether the change was news. */
  change({ kind, registration }: ServiceChange, index: number): boolean {
    if (index <= Math.max(this.#floor, this.#listed.get(textOf(registration)) ?? 0)) return false;
    this.#changed.set(textOf(registration), index);
    const { service, namespace, id } = registration;
    const known = new Map(this.#services.get(service)?.get(namespace));
    if (kind === "registered") known.set(id, registration);
    else known.delete(id);
    this.#put(registration, known);
    return true;
  }

  /** Nomad's indexes start over. */
  rewind(): void {
    this.#listed.clear();
    this.#changed.clear();
    this.#floor = 0;
  }

  #put({ namespace, service }: ServiceKey, registrations: ReadonlyMap<string, NomadRegistration>): void {
    const spaces = this.#services.get(service) ?? new Map<string, ReadonlyMap<string, NomadRegistration>>();
    if (registrations.size === 0) spaces.delete(namespace);
    else spaces.set(namespace, registrations);
    if (spaces.size === 0) this.#services.delete(service);
    else this.#services.set(service, spaces);
  }
}

/** Neither Nomad's namespaces nor its services have a blank in their names. */
function textOf({ namespace, service }: ServiceKey): string {
  return `${namespace} ${service}`;
}
