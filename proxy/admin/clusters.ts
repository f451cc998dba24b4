import type { JsonValue } from "../../mesh/xds/json.ts";
import type { UpstreamCluster } from "../data-path/upstream/upstream-cluster.ts";
import type { Cluster } from "../model/cluster.ts";

export interface HostStatus {
  /** Address and port, as the text form has them. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** As whoever tells of endpoints says. */
  readonly healthy: boolean;
  /** As checks have found it, or none has come back yet. */
  readonly failsChecks: boolean;
  readonly weight: number;
  readonly priority: number;
  /** Requests: at the moment, and since the start. */
  readonly active: number;
  readonly total: number;
  readonly failures: number;
}

/** What can be told of a cluster, as plain data. */
export interface ClusterStatus {
  readonly name: string;
  readonly limits: Pick<Cluster["limits"], "maxConnections" | "maxRequests" | "maxRetries">;
  readonly hosts: readonly HostStatus[];
}

export function clusterStatus(name: string, { model, hosts }: UpstreamCluster): ClusterStatus {
  const { maxConnections, maxRequests, maxRetries } = model.limits;
  return {
    name,
    limits: { maxConnections, maxRequests, maxRetries },
    hosts: [...hosts].map(({ key, endpoint, failsChecks, active, total, failures }) => {
      const { address, port, healthy, weight, priority } = endpoint;
      return { key, address, port, healthy, failsChecks, weight, priority, active, total, failures };
    }),
  };
}

/** Envoy's `/clusters` in its text form. */
export function clustersText(clusters: readonly ClusterStatus[]): string {
  const lines = clusters.flatMap(({ name, limits, hosts }) => [
    `${name}::observability_name::${name}`,
    `${name}::default_priority::max_connections::${limit(limits.maxConnections)}`,
    `${name}::default_priority::max_requests::${limit(limits.maxRequests)}`,
    `${name}::default_priority::max_retries::${limit(limits.maxRetries)}`,
    `${name}::added_via_api::true`,
    ...hosts.flatMap((host) => hostLines(name, host)),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

function hostLines(cluster: string, host: HostStatus): string[] {
  return [
    `rq_active::${host.active}`,
    `rq_total::${host.total}`,
    `rq_error::${host.failures}`,
    `hostname::`,
    `health_flags::${healthFlags(host)}`,
    `weight::${host.weight}`,
    `priority::${host.priority}`,
  ].map((part) => `${cluster}::${host.key}::${part}`);
}

function healthFlags({ healthy, failsChecks }: HostStatus): string {
  const flags = `${failsChecks ? "/failed_active_hc" : ""}${healthy ? "" : "/failed_eds_health"}`;
  return flags || "healthy";
}

/** Envoy's `/clusters?format=json` (envoy.admin.v3.Clusters). */
export function clustersJson(clusters: readonly ClusterStatus[]): JsonValue {
  return {
    cluster_statuses: clusters.map(({ name, hosts }) => ({
      name,
      observability_name: name,
      added_via_api: true,
      host_statuses: hosts.map((host) => ({
        address: { socket_address: { address: host.address, port_value: host.port } },
        stats: [
          { name: "rq_total", value: String(host.total), type: "COUNTER" },
          { name: "rq_error", value: String(host.failures), type: "COUNTER" },
          { name: "rq_active", value: String(host.active), type: "GAUGE" },
        ],
        health_status: {
          ...(host.failsChecks ? { failed_active_health_check: true } : {}),
          eds_health_status: host.healthy ? "HEALTHY" : "UNHEALTHY",
        },
        weight: host.weight,
        priority: host.priority,
      })),
    })),
  };
}

function limit(value: number): number {
  return Number.isFinite(value) ? value : 4_294_967_295;
}
