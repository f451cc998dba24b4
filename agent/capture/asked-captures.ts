import type { AskedCaptures } from "../../mesh/admin-api/asked-capture.ts";
import { captureOwnerText } from "../../mesh/model/capture-owner.ts";
import { type Workload, workloadId } from "../../mesh/model/workload.ts";
import type { LocalService } from "../discovery/discovery.ts";

export interface CapturedWorkloads {
  readonly services: readonly LocalService[] | undefined;
  workloads(): readonly { readonly workload: Workload }[];
}

/** What rules of this host have to capture, for those who write them. */
export function askedCaptures(known: CapturedWorkloads, agentPid: number): AskedCaptures {
  const owners = new Map(
    (known.services ?? []).flatMap(({ namespace, id, owner }) =>
      owner === undefined ? [] : [[workloadId({ namespace, name: id }), captureOwnerText(owner)] as const],
    ),
  );
  const captures = known.workloads().flatMap(({ workload }) => {
    const { capturedAt: at, ports } = workload;
    const place = ports[0]?.inbound;
    if (at === undefined || place === undefined) return [];
    const owner = owners.get(workloadId(workload));
    return [{ workload: workloadId(workload), ...(owner !== undefined && { owner }), place, at }];
  });
  return { agentPid, captures };
}
