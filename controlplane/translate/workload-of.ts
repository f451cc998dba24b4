import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { WorkloadConfig } from "../snapshot/snapshot-view.ts";
import type { Scope } from "./memo.ts";

/** A workload that is known to be there. */
export function workloadOf(scope: Scope, id: WorkloadId): WorkloadConfig {
  const workload = scope.view.workload(id);
  if (workload === undefined) throw new Error(`no workload ${id}`);
  return workload;
}
