import { isSpiffeSegment } from "../../mesh/identity/spiffe-id.ts";
import type { GroupMembership, Workload } from "../../mesh/model/workload.ts";
import type { WorkloadGroupSpec } from "../../mesh/model/workload-group.ts";
import type { Admission } from "../attest/admit-workload.ts";
import { withGroup } from "../snapshot/grouped-workload.ts";
import { MAX_WEIGHT } from "./parse-workload-report.ts";

/** A workload with what its group says, or why it cannot be one. */
export type Grouped =
  | { readonly ok: true; readonly workload: Workload; readonly problem: string | undefined }
  | { readonly ok: false; readonly reason: string };

export interface GroupVersions {
  /** What the group says; undefined: there is no such group. */
  readonly now: WorkloadGroupSpec | undefined;
  /** What it said when this workload was placed last; undefined: it was not, or was of another group. */
  readonly last: WorkloadGroupSpec | undefined;
}

/**
 * The workload as its group makes it, if it may be that. What a group says is judged like what an agent says: it gives
 * nobody more. Where it cannot be in force now, what it said last stays, with a problem that tells.
 */
export function judgeGroup(
  workload: Workload,
  group: GroupMembership,
  versions: GroupVersions,
  admit: (workload: Workload) => Admission,
): Grouped {
  const full = `WorkloadGroup ${workload.namespace}/${group.name}`;
  let reason = `its ${full} does not exist: create it, or take the group away from the service`;
  for (const said of [versions.now, versions.last]) {
    if (said === undefined) continue;
    const made = withGroup(workload, group, said);
    const problem = problemOf(made);
    const admission: Admission = problem === undefined ? admit(made) : { ok: false, reason: problem };
    if (admission.ok) {
      const kept = `${reason}; what it said before stays in force`;
      return { ok: true, workload: made, problem: said === versions.now ? undefined : kept };
    }
    if (said === versions.now) reason = `as its ${full} says: ${admission.reason}`;
  }
  return { ok: false, reason };
}

/** What a group may say and a workload cannot be. */
function problemOf({ serviceAccount, weight }: Workload): string | undefined {
  if (!isSpiffeSegment(serviceAccount))
    return `the service account ${serviceAccount} cannot be part of an identity`;
  return weight > MAX_WEIGHT ? `the weight must be at most ${MAX_WEIGHT}` : undefined;
}
