import type { DatabaseSync } from "node:sqlite";
import { EventQueue } from "../event-queue.ts";
import type { CatalogInstance, Registry, RegistryEvent, RegistryStatus } from "../registry.ts";

/**
 * The server's own catalog, for those who run no other: instances are put and removed by people and programs through
 * REST, and stay over a restart.
 */
export class EmbeddedRegistry implements Registry {
  readonly name = "embedded";
  readonly status: RegistryStatus;
  readonly #database: DatabaseSync;
  readonly #readers = new Set<EventQueue>();

  constructor(database: DatabaseSync, now: number) {
    database.exec(
      "CREATE TABLE IF NOT EXISTS embedded_instances (id TEXT PRIMARY KEY, instance TEXT NOT NULL) STRICT",
    );
    this.#database = database;
    this.status = { state: "current", since: now };
  }

  /** Adds an instance, or replaces the one with its id. It is on disk when this returns. */
  put(instance: CatalogInstance): void {
    const before = this.#get(instance.id);
    const text = JSON.stringify(instance);
    if (before !== undefined && JSON.stringify(before) === text) return;
    this.#database
      .prepare(
        "INSERT INTO embedded_instances VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET instance = excluded.instance",
      )
      .run(instance.id, text);
    this.#tell(instance);
    if (before !== undefined && serviceKey(before) !== serviceKey(instance)) this.#tell(before);
  }

  /** False when there is no such instance. */
  remove(id: string): boolean {
    const before = this.#get(id);
    if (before === undefined) return false;
    this.#database.prepare("DELETE FROM embedded_instances WHERE id = ?").run(id);
    this.#tell(before);
    return true;
  }

  /** By id. */
  list(): readonly CatalogInstance[] {
    const rows = this.#database.prepare("SELECT instance FROM embedded_instances ORDER BY id").all();
    return rows.map(({ instance }) => fromText(instance));
  }

  async *watch(signal: AbortSignal): AsyncGenerator<RegistryEvent, void> {
    const queue = new EventQueue();
    for (const instances of Map.groupBy(this.list(), serviceKey).values()) {
      const [first] = instances;
      if (first !== undefined) queue.push(serviceEvent(first, instances));
    }
    queue.push({ kind: "synced" });
    this.#readers.add(queue);
    try {
      yield* queue.read(signal);
    } finally {
      this.#readers.delete(queue);
    }
  }

  #get(id: string): CatalogInstance | undefined {
    const row = this.#database.prepare("SELECT instance FROM embedded_instances WHERE id = ?").get(id);
    return row === undefined ? undefined : fromText(row["instance"]);
  }

  #tell(changed: CatalogInstance): void {
    if (this.#readers.size === 0) return;
    const instances = this.list().filter((instance) => serviceKey(instance) === serviceKey(changed));
    for (const reader of this.#readers) reader.push(serviceEvent(changed, instances));
  }
}

function serviceKey({ namespace, service }: CatalogInstance): string {
  return `${namespace}/${service}`;
}

function serviceEvent(
  { namespace, service }: CatalogInstance,
  instances: readonly CatalogInstance[],
): RegistryEvent {
  return { kind: "service", namespace, service, instances };
}

/** JSON has no undefined: fields that an instance does not say come back as such. */
function fromText(text: unknown): CatalogInstance {
  const instance = JSON.parse(String(text)) as CatalogInstance;
  return {
    ...instance,
    servicePort: instance.servicePort ?? undefined,
    protocol: instance.protocol ?? undefined,
  };
}
