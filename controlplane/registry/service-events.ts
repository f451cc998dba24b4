import type { EventQueue } from "./event-queue.ts";
import type { CatalogInstance } from "./registry.ts";

/**
 * Turns a catalog's service into events: one for each namespace that its instances name, and only where something is
 * different from what was told before.
 */
export class ServiceEvents {
  readonly #queue: EventQueue;
  /** By service, by namespace: the instances as they were told, in JSON. */
  readonly #told = new Map<string, ReadonlyMap<string, string>>();

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  tell(service: string, instances: readonly CatalogInstance[]): void {
    const sorted = instances.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const groups = Map.groupBy(sorted, ({ namespace }) => namespace);
    const before = this.#told.get(service);
    const now = new Map<string, string>();
    for (const [namespace, group] of groups) {
      const text = JSON.stringify(group);
      now.set(namespace, text);
      if (before?.get(namespace) === text) continue;
      this.#queue.push({ kind: "service", namespace, service, instances: group });
    }
    for (const namespace of before?.keys() ?? []) {
      if (!now.has(namespace)) this.#queue.push({ kind: "service", namespace, service, instances: [] });
    }
    if (now.size === 0) this.#told.delete(service);
    else this.#told.set(service, now);
  }
}
