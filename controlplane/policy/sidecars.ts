import type { StoredObject } from "../../mesh/model/object.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

/**
 * The Sidecar that holds for a workload: the oldest of its namespace that selects it, else the oldest of its namespace
 * without a selector, else that of the root namespace without a selector.
 */
export function sidecarFor(
  view: SnapshotView,
  { namespace, labels }: Pick<WorkloadConfig, "namespace" | "labels">,
): StoredObject<"Sidecar"> | undefined {
  const own = view.sidecars(namespace);
  return (
    own.find(({ spec }) => spec.workloadSelector !== undefined && selects(spec.workloadSelector, labels)) ??
    own.find(({ spec }) => spec.workloadSelector === undefined) ??
    view.sidecars(view.settings.rootNamespace).find(({ spec }) => spec.workloadSelector === undefined)
  );
}
