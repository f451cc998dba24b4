import type { Workload } from "../model/workload.ts";

type Described = Pick<Workload, "name" | "namespace" | "serviceAccount" | "labels" | "ports">;

/**
 * What a workload's data plane says of itself, with the names that Istio's sidecars have. The cluster is the trust domain:
 * hosts belong to no Kubernetes cluster.
 */
export function nodeMetadata(
  { name, namespace, serviceAccount, labels, ports }: Described,
  trustDomain: string,
): Readonly<Record<string, unknown>> {
  const address = ports[0]?.inbound.address;
  return {
    NAME: name,
    NAMESPACE: namespace,
    WORKLOAD_NAME: name,
    SERVICE_ACCOUNT: serviceAccount,
    CLUSTER_ID: trustDomain,
    MESH_ID: trustDomain,
    ...(address === undefined ? {} : { INSTANCE_IPS: address }),
    LABELS: labels,
  };
}
