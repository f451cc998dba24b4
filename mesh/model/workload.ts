import type { Protocol } from "./service.ts";

/** Host and port pair. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** One port of a workload: what callers name, where its proxy listens, where the application listens. */
export interface WorkloadPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly servicePort: number;
  readonly inbound: SocketAddress;
  readonly app: SocketAddress;
}

/** A service that the workload calls through a listener of its own. */
export interface WorkloadUpstream {
  /** As people write it; resolved against the workload's namespace. */
  readonly host: string;
  readonly port: number;
  readonly bind: SocketAddress;
}

/**
 * One workload instance that an agent serves. It is one xDS node with its own identity (DESIGN D6), and its
 * registration is the fact from which the server decides who may have that identity (D4).
 */
export interface Workload {
  /** DNS label characters, dots and underscores; unique in the namespace. */
  readonly name: string;
  readonly namespace: string;
  /** Short name of the service it belongs to. */
  readonly service: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly WorkloadPort[];
  readonly upstreams: readonly WorkloadUpstream[];
  readonly healthy: boolean;
  readonly weight: number;
  readonly locality: string;
  readonly dataPlane: "envoy" | "builtin";
  /** The catalog's record of it. Where set, the endpoint exists only as long as that catalog has the instance. */
  readonly catalog: { readonly registry: string; readonly instanceId: string } | undefined;
}

/** A workload as the server holds it. */
export interface PlacedWorkload extends Workload {
  /** The agent whose host it is on. */
  readonly agentId: string;
  /** Milliseconds since the epoch of its first registration. */
  readonly registeredAt: number;
}

/** `namespace/name`, unique in the mesh. */
export type WorkloadId = string;

export function workloadId(workload: Pick<Workload, "namespace" | "name">): WorkloadId {
  return `${workload.namespace}/${workload.name}`;
}
