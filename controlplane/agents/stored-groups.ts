import { objectKey, type StoredObject } from "../../mesh/model/object.ts";
import type { WorkloadGroupSpec } from "../../mesh/model/workload-group.ts";
import type { ConfigStore } from "../store/config-store.ts";

/** WorkloadGroups as they are now. */
export interface WorkloadGroups {
  get(namespace: string, name: string): WorkloadGroupSpec | undefined;
  /** Calls back with `namespace/name` of those that came, changed or went, until the signal is aborted. */
  onChange(listener: (groups: ReadonlySet<string>) => void, signal: AbortSignal): void;
}

/** Those of the store: what is stored is judged by at once, though it is published a moment later. */
export function storedGroups(store: Pick<ConfigStore, "get" | "onChange">): WorkloadGroups {
  return {
    get(namespace, name) {
      const key = objectKey("WorkloadGroup", namespace, name);
      return (store.get(key) as StoredObject<"WorkloadGroup"> | undefined)?.spec;
    },
    onChange(listener, signal) {
      store.onChange((changes) => {
        const groups = changes.flatMap(({ before, after }) => {
          const object = after ?? before;
          return object?.kind === "WorkloadGroup"
            ? [`${object.metadata.namespace}/${object.metadata.name}`]
            : [];
        });
        if (groups.length > 0) listener(new Set(groups));
      }, signal);
    },
  };
}
