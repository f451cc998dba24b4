import { type Workload, workloadId } from "../model/workload.ts";
import type * as wire from "../xds/gen/lateen/agent/v1/agent.ts";
import { toProbeMessage } from "./probe-message.ts";

/** What a server tells the agent of a workload that names a group: none or one. `problem`: why it is not as the group says. */
export function toGroupSettings(
  workload: Workload,
  problem: string | undefined,
): readonly wire.GroupSettings[] {
  const { group, serviceAccount, labels } = workload;
  if (group?.applied === undefined) return [];
  const { probe } = group.applied.said;
  return [
    {
      workload: workloadId(workload),
      group: group.name,
      serviceAccount,
      labels: { ...labels },
      probe: probe && toProbeMessage(probe),
      problem: problem ?? "",
    },
  ];
}
