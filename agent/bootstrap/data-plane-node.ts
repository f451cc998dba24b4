import type { Workload } from "../../mesh/model/workload.ts";
import { nodeId } from "../../mesh/xds/names.ts";

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
 * The node of a workload, with the metadata that Istio's sidecars have and that telemetry labels are made of. The
 * cluster is the trust domain: hosts belong to no Kubernetes cluster. Nothing in it expires and nothing in it is secret
 * (DESIGN D2).
 */
export function dataPlaneNode(workload: Workload, mesh: MeshNames, sockets: NodeSockets): DataPlaneNode {
  const address = workload.ports[0]?.inbound.address;
  return {
    id: workloadNodeId(workload, mesh.domainSuffix),
    cluster: `${workload.service}.${workload.namespace}`,
    metadata: {
      NAME: workload.name,
      NAMESPACE: workload.namespace,
      WORKLOAD_NAME: workload.name,
      SERVICE_ACCOUNT: workload.serviceAccount,
      CLUSTER_ID: mesh.trustDomain,
      MESH_ID: mesh.trustDomain,
      ...(address === undefined ? {} : { INSTANCE_IPS: address }),
      LABELS: workload.labels,
    },
    ...sockets,
  };
}

/** The xDS node id of a workload: a workload without a port has the unspecified address. */
export function workloadNodeId(workload: Workload, domainSuffix: string): string {
  const address = workload.ports[0]?.inbound.address ?? "0.0.0.0";
  return nodeId(address, workload.name, workload.namespace, domainSuffix);
}
