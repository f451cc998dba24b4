import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

/**
 * The side that calls, as far as what it gets depends on it. Workloads with an equal client share all that they have
 * of the mesh.
 */
export interface Client {
  readonly namespace: string;
  /** Only those that some VirtualService or DestinationRule chooses clients by. */
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone/subzone`; empty when unknown. */
  readonly locality: string;
  /** Empty: the default network. */
  readonly network: string;
  readonly role: WorkloadConfig["role"];
}

export function clientOf(view: SnapshotView, workload: WorkloadConfig): Client {
  const { namespace, labels, locality, network, role } = workload;
  const chosen = view.selectedLabels.flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return { namespace, labels: Object.fromEntries(chosen), locality, network, role };
}

/** Equal for equal clients. */
export function clientKey({ namespace, labels, locality, network, role }: Client): string {
  return `${role}/${namespace}/${locality}/${network}${JSON.stringify(labels)}`;
}
