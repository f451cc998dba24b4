import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { CapturedService, CapturePlan, PlannedOwner } from "./capture-plan.ts";
import { type CaptureHost, holdsMesh } from "./plan-capture.ts";

export type AgreedHost = Pick<CaptureHost, "meshUid" | "meshGroup" | "uidOf">;

export interface Agreed {
  readonly plan: CapturePlan;
  /** A line for each service that is left out. */
  readonly leftOut: readonly string[];
}

/**
 * What of a kept plan is still so: an agent may have given a service's ports to another since, and users may have other
 * numbers. Rules that send a service to another's proxy would let it speak in that one's name. Pure.
 */
export function stillAgrees(plan: CapturePlan, asked: readonly AskedCapture[], host: AgreedHost): Agreed {
  const checked = plan.services.map((service) => ({ service, why: disagreement(service, asked, host) }));
  return {
    plan: {
      ...plan,
      meshUid: host.meshUid,
      services: checked.flatMap(({ service, why }) => (why === undefined ? [service] : [])),
    },
    leftOut: checked.flatMap(({ service, why }) =>
      why === undefined
        ? []
        : [`${service.workload} is left out: ${why}; lateen capture apply captures it again`],
    ),
  };
}

function disagreement(
  service: CapturedService,
  asked: readonly AskedCapture[],
  host: AgreedHost,
): string | undefined {
  const one = asked.find(({ workload }) => workload === service.workload);
  if (one === undefined) return "the agent has none of this name to capture";
  if (!hasPlaces(service, one)) return "its ports or its address are others now";
  return service.owner && ownerProblem(service.owner, host);
}

/** Whether a plan has the ports and the address that the agent says. */
export function hasPlaces(
  { outbound, inbound, place }: CapturedService,
  { at, place: now }: AskedCapture,
): boolean {
  return (
    outbound === at.outbound &&
    // What comes to a port that is kept free is not captured.
    (inbound === undefined || inbound === at.inbound) &&
    place.address === now.address &&
    place.port === now.port
  );
}

function ownerProblem(owner: PlannedOwner, { meshUid, meshGroup, uidOf }: AgreedHost): string | undefined {
  switch (owner.kind) {
    case "uid":
      if (owner.uid === meshUid) return "its user is that of the mesh's proxies";
      return owner.user !== undefined && uidOf(owner.user) !== owner.uid
        ? `user ${owner.user} has not the number ${owner.uid} any more`
        : undefined;
    case "cgroup":
      return holdsMesh(owner.path, meshGroup) ? `the mesh's proxies are in ${owner.path} too` : undefined;
    default:
      return owner satisfies never;
  }
}
