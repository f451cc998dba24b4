import {
  type Cluster,
  Cluster_DiscoveryType as Discovery,
  Cluster_LbPolicy as LbPolicy,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Locality } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { HealthStatus } from "../../mesh/xds/gen/envoy/config/core/v3/health_check.ts";
import type { ClusterLoadAssignment } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { BLACK_HOLE_CLUSTER } from "../../mesh/xds/names.ts";
import { originOf } from "../translate/config-metadata.ts";
import { addressText, hostPort } from "./addresses.ts";
import type { Call } from "./call.ts";
import { type BalancerSettings, endpointShares } from "./endpoint-shares.ts";
import { transportOf } from "./transport.ts";
import { type Failure, failure, type Target, type Upstream, type UpstreamEndpoint } from "./verdict.ts";
import type { XdsConfig } from "./xds-config.ts";

/** What a cluster needs to know of the call to find its endpoints. */
export interface UpstreamCall {
  readonly call: Call;
  /** True when the call was intercepted, so that its original destination is known. */
  readonly restored: boolean;
  readonly authority: string;
  /** HTTP answers for a missing cluster, and for one without endpoints; undefined on a plain connection. */
  readonly statuses: { readonly notFound: number; readonly unhealthy: number } | undefined;
}

export function upstreamOf(config: XdsConfig, { cluster: name, share }: Target, to: UpstreamCall): Upstream {
  const cluster = config.clusters.get(name);
  const base = { cluster: name, share };
  if (cluster === undefined) {
    const error = failure("no-cluster", `there is no cluster ${JSON.stringify(name)}`, to.statuses?.notFound);
    return { ...base, discovery: undefined, balancer: undefined, endpoints: [], error, origin: undefined };
  }
  const endpoints = endpointsOf(config, cluster, to);
  return {
    ...base,
    discovery: discoveryOf(cluster),
    balancer: balancerOf(cluster),
    endpoints,
    error: problemOf(cluster, endpoints, to),
    origin: originOf(cluster),
  };
}

function problemOf(
  { name }: Cluster,
  endpoints: readonly UpstreamEndpoint[],
  { statuses }: UpstreamCall,
): Failure | undefined {
  if (endpoints.some(({ share }) => share > 0)) return undefined;
  if (name === BLACK_HOLE_CLUSTER) {
    return failure(
      "black-hole",
      "it leads to the cluster that has no endpoints by design",
      statuses?.unhealthy,
    );
  }
  const unhealthy =
    endpoints.length === 1 ? "its endpoint is unhealthy" : `its ${endpoints.length} endpoints are unhealthy`;
  const reason = endpoints.length === 0 ? `cluster ${name} has no endpoint` : `cluster ${name}: ${unhealthy}`;
  return failure("no-healthy-upstream", reason, statuses?.unhealthy);
}

function endpointsOf(config: XdsConfig, cluster: Cluster, to: UpstreamCall): readonly UpstreamEndpoint[] {
  if (cluster.type === Discovery.ORIGINAL_DST) return originalDestination(cluster, to);
  if (isDynamicForwardProxy(cluster)) return [soleEndpoint(cluster, withPort(cluster, to))];
  const eds = cluster.type === Discovery.EDS;
  const assignment = eds
    ? config.assignments.get(cluster.edsClusterConfig?.serviceName || cluster.name)
    : cluster.loadAssignment;
  return assignment === undefined ? [] : assigned(cluster, assignment);
}

function assigned(
  cluster: Cluster,
  { endpoints, policy }: ClusterLoadAssignment,
): readonly UpstreamEndpoint[] {
  const members = endpoints.flatMap((locality, group) =>
    locality.lbEndpoints.map((one) => ({ locality, group, one })),
  );
  const candidates = members.map(({ locality, group, one }) => ({
    priority: locality.priority,
    group,
    groupWeight: locality.loadBalancingWeight ?? 0,
    weight: one.loadBalancingWeight ?? 1,
    healthy: isHealthy(one.healthStatus),
  }));
  const shares = endpointShares(candidates, balancerSettings(cluster, policy?.overprovisioningFactor));
  return members.map(({ locality, one }, index) => ({
    address: addressText(one.endpoint?.address),
    priority: locality.priority,
    locality: localityText(locality.locality),
    weight: one.loadBalancingWeight ?? 1,
    healthy: isHealthy(one.healthStatus),
    share: shares[index] ?? 0,
    transport: transportOf(cluster, one.metadata, locality.metadata),
  }));
}

function balancerSettings(
  { commonLbConfig }: Cluster,
  overprovisioning: number | undefined,
): BalancerSettings {
  return {
    panicThreshold: commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    overprovisioning: overprovisioning ?? 140,
    localityWeighted: commonLbConfig?.localityWeightedLbConfig !== undefined,
  };
}

/** Only what was intercepted has an original destination; a header may name another where the cluster allows it. */
function originalDestination(
  cluster: Cluster,
  { call, restored }: UpstreamCall,
): readonly UpstreamEndpoint[] {
  const { useHttpHeader, httpHeaderName, upstreamPortOverride } = cluster.originalDstLbConfig ?? {};
  const header = (httpHeaderName || "x-envoy-original-dst-host").toLowerCase();
  const named = useHttpHeader === true && call.headers.find(([name]) => name.toLowerCase() === header);
  if (named) return [soleEndpoint(cluster, named[1])];
  return restored ? [soleEndpoint(cluster, hostPort(call.address, upstreamPortOverride ?? call.port))] : [];
}

function isDynamicForwardProxy({ clusterType }: Cluster): boolean {
  return clusterType?.name === "envoy.clusters.dynamic_forward_proxy";
}

/** The forward proxy asks DNS for the host of the request itself. Without a port it is that of how the host is spoken to. */
function withPort(cluster: Cluster, { authority }: UpstreamCall): string {
  if (/:\d+$/.test(authority)) return authority;
  return `${authority}:${transportOf(cluster, undefined, undefined).kind === "tls" ? 443 : 80}`;
}

function soleEndpoint(cluster: Cluster, address: string): UpstreamEndpoint {
  const transport = transportOf(cluster, undefined, undefined);
  return { address, priority: 0, locality: "", weight: 1, healthy: true, share: 1, transport };
}

function discoveryOf({ type, clusterType }: Cluster): string {
  return clusterType?.name ?? nameIn(Discovery, type ?? Discovery.STATIC);
}

function balancerOf({ lbPolicy, loadBalancingPolicy }: Cluster): string {
  const extension = loadBalancingPolicy?.policies[0]?.typedExtensionConfig?.name;
  return extension ?? nameIn(LbPolicy, lbPolicy);
}

function nameIn(values: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(values).find((name) => values[name] === value) ?? String(value);
}

function isHealthy(status: HealthStatus): boolean {
  return (
    status !== HealthStatus.UNHEALTHY && status !== HealthStatus.DRAINING && status !== HealthStatus.TIMEOUT
  );
}

function localityText(locality: Locality | undefined): string {
  if (locality === undefined) return "";
  const { region, zone, subZone } = locality;
  return [region, zone, subZone].join("/").replace(/\/+$/, "");
}
