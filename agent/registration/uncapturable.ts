import { MeshError } from "../../mesh/errors.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { LocalService } from "../discovery/discovery.ts";

/** Why a service that asks for capture cannot be captured on this host; undefined: it can, or does not ask. Pure. */
export function uncapturable(
  { id, namespace, interception, inbound, app }: LocalService,
  isHere: (address: string) => boolean,
): MeshError | undefined {
  if (interception !== "redirect") return undefined;
  const workload = workloadId({ namespace, name: id });
  if (inbound?.kind === "none")
    return refused(workload, "it takes no calls", "take interception away: it calls by vips or upstreams");
  if (inbound?.kind === "mapped")
    return refused(
      workload,
      "what comes to it is mapped to its proxy's port already",
      "take interception away, or the mapping",
    );
  if (app !== undefined && !isHere(app.address))
    return refused(
      workload,
      `its application at ${app.address}:${app.port} is not on this host`,
      "run the agent where the application is, or take interception away",
    );
  return undefined;
}

function refused(workload: WorkloadId, why: string, hint: string): MeshError {
  return new MeshError("agent.capture", `capture connections of workload ${workload}: ${why}`, { hint });
}
