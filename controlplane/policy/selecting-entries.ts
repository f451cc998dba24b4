import { selects } from "../snapshot/labels.ts";
import type { ObjectsOf } from "../snapshot/object-lists.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

/** The ServiceEntries that a workload is selected by, oldest first. */
export function entriesSelecting(
  view: SnapshotView,
  { namespace, labels }: Pick<WorkloadConfig, "namespace" | "labels">,
): ObjectsOf<"selecting-service-entry"> {
  return view
    .selectingServiceEntries(namespace)
    .filter(({ spec }) => selects(spec.workloadSelector ?? {}, labels));
}
