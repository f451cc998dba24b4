import type { Address } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import { HealthStatus } from "../../mesh/xds/gen/envoy/config/core/v3/health_check.ts";
import { ClusterLoadAssignment } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import type { LbEndpoint } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts";
import type { Endpoint, LoadAssignment } from "../model/cluster.ts";
import { onlyFields, required, unsupported } from "./refuse.ts";
import { decode, socketAddress, socketPath } from "./values.ts";

/** Envoy's, and all that there is here: a priority takes all its load while 1/1.4 of it is healthy. */
const OVERPROVISIONING = 140;

export function parseLoadAssignment(bytes: Uint8Array, name: string): LoadAssignment {
  const where = `endpoints ${name}`;
  const from = decode(where, ClusterLoadAssignment, bytes);
  return { service: from.clusterName, endpoints: readEndpoints(where, from, "addresses") };
}

/** Localities are flattened: what they weigh stays with their endpoints. Names are for clusters that look them up. */
export function readEndpoints(
  where: string,
  from: ClusterLoadAssignment,
  addresses: "addresses" | "names",
): Endpoint[] {
  onlyFields(where, from, ["clusterName", "endpoints", "policy"]);
  if (from.policy) onlyFields(`${where}: policy`, from.policy, ["overprovisioningFactor"]);
  if ((from.policy?.overprovisioningFactor ?? OVERPROVISIONING) !== OVERPROVISIONING) {
    throw unsupported(where, `overprovisioning_factor ${from.policy?.overprovisioningFactor}`);
  }
  return from.endpoints.flatMap((group) => {
    onlyFields(where, group, ["locality", "lbEndpoints", "loadBalancingWeight", "priority", "metadata"]);
    const { region = "", zone = "", subZone = "" } = group.locality ?? {};
    const place = {
      priority: group.priority,
      locality: { name: `${region}/${zone}/${subZone}`, weight: group.loadBalancingWeight ?? 0 },
    };
    return group.lbEndpoints.map((endpoint) => parseEndpoint(where, endpoint, place, addresses));
  });
}

function parseEndpoint(
  where: string,
  from: LbEndpoint,
  place: Pick<Endpoint, "priority" | "locality">,
  addresses: "addresses" | "names",
): Endpoint {
  onlyFields(where, from, ["endpoint", "healthStatus", "metadata", "loadBalancingWeight"]);
  const endpoint = required(where, "endpoint", from.endpoint);
  onlyFields(where, endpoint, ["address", "hostname"]);
  const metadata = from.metadata?.filterMetadata ?? {};
  const workload: unknown = metadata["istio"]?.["workload"];
  return {
    ...endpointAddress(where, endpoint.address, addresses),
    ...place,
    weight: Math.max(1, from.loadBalancingWeight ?? 1),
    healthy: from.healthStatus === HealthStatus.UNKNOWN || from.healthStatus === HealthStatus.HEALTHY,
    transportMatch: transportCriteria(metadata["envoy.transport_socket_match"]),
    workload: typeof workload === "string" ? workload : "",
  };
}

function endpointAddress(
  where: string,
  address: Address | undefined,
  addresses: "addresses" | "names",
): Pick<Endpoint, "address" | "port"> {
  const path = socketPath(where, address);
  return path === undefined ? socketAddress(where, address, addresses) : { address: path, port: 0 };
}

/** The scalar fields of a Struct, as text. */
export function transportCriteria(
  struct: Readonly<Record<string, unknown>> | undefined,
): Map<string, string> {
  return new Map(Object.entries(struct ?? {}).map(([key, value]) => [key, String(value)]));
}
