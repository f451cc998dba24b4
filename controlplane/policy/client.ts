import { failoverKey } from "../snapshot/selected-labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";
import { type Import, importsOfSidecar } from "./imports.ts";
import { sidecarFor } from "./sidecars.ts";

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
  /** What the listeners of its Sidecar import, each: of several services of one host it has one that is among that. */
  readonly prefers: readonly (readonly Import[])[];
}

export function clientOf(view: SnapshotView, workload: WorkloadConfig): Client {
  const { labels, locality, network, role, interception } = workload;
  const ofMesh = view.settings.mesh.localityLbSetting?.failoverPriority.map(failoverKey) ?? [];
  const chosen = [...view.selectedLabels, ...ofMesh].flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  const captured = interception !== "none";
  return {
    labels: Object.fromEntries(chosen),
    locality,
    network,
    role,
    captured,
    imports: undefined,
    ...serviceClient(view, workload),
  };
}

/** A workload as far as it decides which of several services of one host it has. A Sidecar is not for gateways. */
export function serviceClient(
  view: SnapshotView,
  { namespace, labels, role }: Pick<WorkloadConfig, "namespace" | "labels" | "role">,
): Pick<Client, "namespace" | "prefers"> {
  const sidecar = role === "sidecar" ? sidecarFor(view, { namespace, labels }) : undefined;
  const prefers = sidecar === undefined ? [] : importsOfSidecar(view.settings, sidecar.spec, namespace);
  return { namespace, prefers };
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
  prefers,
}: Pick<Client, "namespace" | "labels" | "imports" | "prefers">): string {
  const ofSidecar = imports !== undefined || prefers.length > 0;
  return `${namespace}${JSON.stringify(ofSidecar ? [labels, imports ?? null, prefers] : labels)}`;
}
