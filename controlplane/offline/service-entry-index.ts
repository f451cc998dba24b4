import { byPrecedence, type StoredObject } from "../../mesh/model/object.ts";
import { selects } from "../snapshot/labels.ts";

type ServiceEntry = StoredObject<"ServiceEntry">;
type WorkloadEntry = StoredObject<"WorkloadEntry">;

/** Labels of a WorkloadEntry, as selectors see them. */
export function entryLabels({ metadata, spec }: WorkloadEntry): Readonly<Record<string, string>> {
  return { ...metadata.labels, ...spec.labels };
}

/** Finds the ServiceEntries that have a WorkloadEntry as an endpoint, at a cost that does not follow their number. */
export class ServiceEntryIndex {
  /** By namespace, network and address of an endpoint. */
  readonly #byAddress = new Map<string, Set<ServiceEntry>>();
  /** By namespace and one label of the selector; by the namespace alone where the selector has none. */
  readonly #byLabel = new Map<string, Set<ServiceEntry>>();

  constructor(entries: readonly ServiceEntry[]) {
    for (const entry of entries) {
      const { namespace } = entry.metadata;
      const { workloadSelector, endpoints } = entry.spec;
      if (workloadSelector !== undefined) {
        const [label] = Object.entries(workloadSelector);
        add(this.#byLabel, [namespace, ...(label ?? [])], entry);
      }
      for (const { network, address } of endpoints)
        add(this.#byAddress, [namespace, network, address], entry);
    }
  }

  /** Those of the entry's namespace that select it by label or list its address, the oldest first. */
  having(entry: WorkloadEntry): readonly ServiceEntry[] {
    const { namespace } = entry.metadata;
    const labels = entryLabels(entry);
    const selecting = [[], ...Object.entries(labels)]
      .flatMap((label) => [...(this.#byLabel.get(keyOf([namespace, ...label])) ?? [])])
      .filter(({ spec }) => selects(spec.workloadSelector ?? {}, labels));
    const listing = this.#byAddress.get(keyOf([namespace, entry.spec.network, entry.spec.address])) ?? [];
    return [...selecting, ...listing].sort(byPrecedence);
  }
}

function add(index: Map<string, Set<ServiceEntry>>, parts: readonly string[], entry: ServiceEntry): void {
  const key = keyOf(parts);
  const known = index.get(key) ?? new Set();
  index.set(key, known.add(entry));
}

function keyOf(parts: readonly string[]): string {
  return JSON.stringify(parts);
}
