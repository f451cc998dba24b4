import type { Workload } from "../../mesh/model/workload.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { nodeMetadata } from "../../mesh/xds/node-metadata.ts";

/** One xDS node and the sockets through which its data plane is fed and asked. */
export interface DataPlaneNode {
  readonly id: string;
  /** `<service>.<namespace>`, as Istio names it. */
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly xdsSocket: string;
  readonly adminSocket: string;
}

export interface NodeSockets {
  readonly xdsSocket: string;
  readonly adminSocket: string;
}

export interface MeshNames {
  readonly trustDomain: string;
  readonly domainSuffix: string;
}

/**
 * The node of a workload, with the metadata that telemetry labels are made of. Nothing in it expires and nothing in it is
 * secret (DESIGN D2).
 */
export function dataPlaneNode(workload: Workload, mesh: MeshNames, sockets: NodeSockets): DataPlaneNode {
  return {
    id: workloadNodeId(workload, mesh.domainSuffix),
    cluster: `${workload.service}.${workload.namespace}`,
    metadata: nodeMetadata(workload, mesh.trustDomain),
    ...sockets,
  };
}

/** The xDS node id of a workload: a workload without a port has the unspecified address. */
export function workloadNodeId(workload: Workload, domainSuffix: string): string {
  const address = workload.ports[0]?.inbound.address ?? "0.0.0.0";
  return nodeId(address, workload.name, workload.namespace, domainSuffix, workload.role);
}
