import { HealthStatus } from "../../mesh/xds/gen/envoy/config/core/v3/health_check.ts";
import { ClusterLoadAssignment } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import type { LbEndpoint } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts";
import type { Endpoint, LoadAssignment } from "../model/cluster.ts";
import { onlyFields, required } from "./refuse.ts";
import { decode, socketAddress } from "./values.ts";

export function parseLoadAssignment(bytes: Uint8Array, name: string): LoadAssignment {
  const where = `endpoints ${name}`;
  return readLoadAssignment(where, decode(where, ClusterLoadAssignment, bytes));
}

/** Localities are flattened: their weights and priorities stay with the endpoints. */
export function readLoadAssignment(where: string, from: ClusterLoadAssignment): LoadAssignment {
  onlyFields(where, from, ["clusterName", "endpoints", "policy"]);
  if (from.policy) onlyFields(`${where}: policy`, from.policy, ["overprovisioningFactor"]);
  return {
    service: from.clusterName,
    endpoints: from.endpoints.flatMap((locality) => {
      onlyFields(where, locality, ["locality", "lbEndpoints", "loadBalancingWeight", "priority", "metadata"]);
      return locality.lbEndpoints.map((endpoint) => parseEndpoint(where, endpoint, locality.priority));
    }),
  };
}

function parseEndpoint(where: string, from: LbEndpoint, priority: number): Endpoint {
  onlyFields(where, from, ["endpoint", "healthStatus", "metadata", "loadBalancingWeight"]);
  const endpoint = required(where, "endpoint", from.endpoint);
  onlyFields(where, endpoint, ["address", "hostname", "healthCheckConfig"]);
  const metadata = from.metadata?.filterMetadata ?? {};
  const workload: unknown = metadata["istio"]?.["workload"];
  return {
    ...socketAddress(where, endpoint.address),
    weight: Math.max(1, from.loadBalancingWeight ?? 1),
    healthy: from.healthStatus === HealthStatus.UNKNOWN || from.healthStatus === HealthStatus.HEALTHY,
    priority,
    transportMatch: transportCriteria(metadata["envoy.transport_socket_match"]),
    workload: typeof workload === "string" ? workload : "",
  };
}

/** The scalar fields of a Struct, as text. */
export function transportCriteria(
  struct: Readonly<Record<string, unknown>> | undefined,
): Map<string, string> {
  return new Map(Object.entries(struct ?? {}).map(([key, value]) => [key, String(value)]));
}
