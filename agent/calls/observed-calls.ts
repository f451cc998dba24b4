import { CallTally, type Tally } from "../../mesh/calls/call-tally.ts";
import type { LoggedCalls } from "../../mesh/calls/log-entry.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";

/** The calls to each workload of this host that its proxy has told of and that were not reported yet. */
export class ObservedCalls {
  readonly #byWorkload = new Map<WorkloadId, CallTally>();

  add(workload: WorkloadId, { kind, seen }: LoggedCalls): void {
    const known = this.#byWorkload.get(workload);
    const tally = known ?? new CallTally();
    if (known === undefined) this.#byWorkload.set(workload, tally);
    tally.add(kind, seen);
  }

  /** Takes away what was counted since the last time. */
  take(): ReadonlyMap<WorkloadId, Tally> {
    const taken = new Map([...this.#byWorkload].map(([id, tally]) => [id, tally.take()]));
    this.#byWorkload.clear();
    return taken;
  }
}
