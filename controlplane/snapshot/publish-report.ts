import type { ErrorCode } from "../../mesh/errors.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";

/** A workload that keeps what it had, because its next configuration could not be made. */
export interface NodeFailure {
  readonly workload: WorkloadId;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string | undefined;
  /** The snapshot that failed. */
  readonly snapshot: number;
}

/** Something that is in force otherwise than its author may expect. */
export interface PublishWarning {
  /** `Kind/namespace/name` of an object, `Workload/namespace/name` or `Service/host`. */
  readonly subject: string;
  readonly message: string;
  /** The revision of the subject, an object, that stays in force for somebody in place of its newest. */
  readonly inForce?: number;
}

export interface PublishReport {
  readonly failures: readonly NodeFailure[];
  readonly warnings: readonly PublishWarning[];
}
