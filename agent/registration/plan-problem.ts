import type { MeshError } from "../../mesh/errors.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";

/** Something of a workload that cannot be had now. */
export interface PlanProblem {
  readonly workload: WorkloadId;
  readonly error: MeshError;
}

/** Logs those that were not among the ones before. */
export function logNewProblems(
  logger: Logger,
  problems: readonly PlanProblem[],
  before: readonly PlanProblem[],
): void {
  const known = new Set(before.map(({ error }) => error.message));
  for (const { workload, error } of problems) {
    if (known.has(error.message)) continue;
    const { code, message, hint } = error;
    logger.error("a workload cannot be served as it is", { workload, code, error: message, hint });
  }
}
