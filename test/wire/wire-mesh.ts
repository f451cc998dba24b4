import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { workload } from "../fakes/sample-mesh.ts";
import type { Place } from "./wire-apps.ts";
import type { At, WireCase } from "./wire-case.ts";
import { hostOf } from "./wire-run.ts";

/** Who is in the mesh of a case, and where the caller's ways out begin. */
export interface WireWorkloads {
  readonly caller: PlacedWorkload;
  /** The caller first. */
  readonly workloads: readonly PlacedWorkload[];
  /** By `host:port`. */
  readonly declared: ReadonlyMap<string, Place>;
  readonly httpProxy: Place | undefined;
}

/** A caller with an upstream for each one that its case names, each at a place of its own. */
export function wireWorkloads(one: WireCase, at: At, bind: () => Place): WireWorkloads {
  const named = new Set([...(one.calls ?? []).map(({ call }) => call.to), ...(one.upstreams ?? [])]);
  const declared = new Map([...named].filter((to) => !to.includes(" ")).map((to) => [to, bind()]));
  const httpProxy = [...named].some((to) => to.startsWith("proxy ")) ? bind() : undefined;
  const caller = workload("caller", {
    ports: [],
    upstreams: [...declared].map(([to, place]) => ({ host: hostOf(to), port: portOf(to), bind: place })),
    httpProxy,
    ...one.caller,
  });
  return { caller, workloads: [caller, ...(one.workloads?.(at) ?? [])], declared, httpProxy };
}

export function portOf(to: string): number {
  return Number(to.slice(to.lastIndexOf(":") + 1));
}
