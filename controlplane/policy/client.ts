import { failoverKey } from "../snapshot/selected-labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";
import type { Import } from "./imports.ts";

/**
 * The side that calls, as far as what it gets depends on it. Workloads with an equal client share all that they have
 * of the mesh.
 */
export interface Client {
  readonly namespace: string;
  /** Only those that some VirtualService or DestinationRule, or the MeshConfig, chooses clients by. */
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone/subzone`; empty when unknown. */
  readonly locality: string;
  /** Empty: the default network. */
  readonly network: string;
  readonly role: WorkloadConfig["role"];
  /** Its connections keep the address that was called. */
  readonly captured: boolean;
  /** Which VirtualServices a Sidecar lets count for its calls; undefined: all that are visible. */
  readonly imports: readonly Import[] | undefined;
}

export function clientOf(view: SnapshotView, workload: WorkloadConfig): Client {
  const { namespace, labels, locality, network, role, interception } = workload;
  const ofMesh = view.settings.mesh.localityLbSetting?.failoverPriority.map(failoverKey) ?? [];
  const chosen = [...view.selectedLabels, ...ofMesh].flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  const captured = interception !== "none";
  return {
    namespace,
    labels: Object.fromEntries(chosen),
    locality,
    network,
    role,
    captured,
    imports: undefined,
  };
}

/** Equal for equal clients. */
export function clientKey(client: Client): string {
  const { locality, network, role, captured } = client;
  return `${role}${captured ? "+" : ""}/${locality}/${network}/${routingKey(client)}`;
}

/** Equal for clients that routing does not tell apart: neither locality nor network matters to it. */
export function routingKey({
  namespace,
  labels,
  imports,
}: Pick<Client, "namespace" | "labels" | "imports">): string {
  return `${namespace}${JSON.stringify(imports === undefined ? labels : [labels, imports])}`;
}
