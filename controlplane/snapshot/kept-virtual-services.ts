import { isDeepStrictEqual } from "node:util";
import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import { keyOf } from "./config-index.ts";
import type { MeshSnapshot, SnapshotKey } from "./mesh-snapshot.ts";

type VirtualService = StoredObject<"VirtualService">;

/** What is kept of VirtualServices besides their newest revisions, with what has changed since the last snapshot. */
export class KeptVirtualServices {
  readonly #kept = new Map<ObjectKey, VirtualService>();
  readonly #dirty = new Set<ObjectKey>();

  /** Returns what was kept before. Objects of other kinds are not kept. */
  set(key: ObjectKey, kept: StoredObject | undefined): VirtualService | undefined {
    const before = this.#kept.get(key);
    if (before === kept) return before;
    if (isVirtualService(kept)) this.#kept.set(key, kept);
    else this.#kept.delete(key);
    this.#dirty.add(key);
    return before;
  }

  next(before: SharedMap<VirtualService>, changed: Set<SnapshotKey>): SharedMap<VirtualService> {
    const edits: [string, VirtualService | undefined][] = [];
    for (const key of this.#dirty) {
      const now = this.#kept.get(key);
      if (before.get(key) === now) continue;
      edits.push([key, now]);
      changed.add(`kept/${key}`);
    }
    this.#dirty.clear();
    return before.edited(edits);
  }
}

/** What would stay in force of an object if it were applied now. */
export function keptBefore(snapshot: MeshSnapshot, object: StoredObject): StoredObject | undefined {
  if (object.kind !== "VirtualService") return undefined;
  const { namespace, name } = object.metadata;
  const [newest] = snapshot.lists["virtual-service-named"].get(`${namespace}/${name}`) ?? [];
  const isDraft = newest !== undefined && !isDeepStrictEqual(newest.written, object.written);
  return snapshot.kept.get(keyOf(object)) ?? (isDraft ? newest : undefined);
}

function isVirtualService(object: StoredObject | undefined): object is VirtualService {
  return object?.kind === "VirtualService";
}
