import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import { keyOf } from "../snapshot/config-index.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

type VirtualService = StoredObject<"VirtualService">;

/** The same view, but for VirtualServices of which an earlier revision is `held`: they are as they were. */
export function withHeld(view: SnapshotView, held: ReadonlyMap<ObjectKey, VirtualService>): SnapshotView {
  const asHeld = (one: VirtualService): VirtualService => held.get(keyOf(one)) ?? one;
  const over: Partial<SnapshotView> = {
    virtualServices: (pattern) => view.virtualServices(pattern).map(asHeld),
    virtualServicesOf: (gateway) => view.virtualServicesOf(gateway).map(asHeld),
    virtualServiceNamed: (name) => {
      const newest = view.virtualServiceNamed(name);
      return newest && asHeld(newest);
    },
  };
  // Not a copy: the fields of a view are getters, and what is not asked for must not count as read.
  return Object.assign(Object.create(view) as SnapshotView, over);
}
