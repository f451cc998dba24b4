import { MeshError } from "../../mesh/errors.ts";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { type Workload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { PlanProblem } from "../registration/plan-problem.ts";

export interface ProbeSources {
  /** What this host says of a workload. */
  readonly own: ReadonlyMap<WorkloadId, ReadinessProbe>;
  /** What its WorkloadGroup says. */
  readonly ofGroup: (workload: Workload) => ReadinessProbe | undefined;
  /** Whether a WorkloadGroup may have commands run on this host. */
  readonly groupsMayExec: boolean;
}

export interface ChosenProbes {
  readonly probes: ReadonlyMap<WorkloadId, { readonly workload: Workload; readonly probe: ReadinessProbe }>;
  readonly problems: readonly PlanProblem[];
}

/** Which workload is asked how: what the host says goes before what a group says. */
export function chooseProbes(workloads: readonly Workload[], sources: ProbeSources): ChosenProbes {
  const probes = new Map<WorkloadId, { readonly workload: Workload; readonly probe: ReadinessProbe }>();
  const problems: PlanProblem[] = [];
  for (const workload of workloads) {
    const id = workloadId(workload);
    const own = sources.own.get(id);
    const probe = own ?? sources.ofGroup(workload);
    if (probe === undefined) continue;
    if (own === undefined && probe.check.kind === "exec" && !sources.groupsMayExec) {
      const message = `ask the application of ${id}: this host runs no commands that a WorkloadGroup names`;
      const hint = "set `probes.exec: true` in agent.yaml, or write the probe into the service's file";
      problems.push({ workload: id, error: new MeshError("agent.probe", message, { hint }) });
    } else probes.set(id, { workload, probe });
  }
  return { probes, problems };
}
