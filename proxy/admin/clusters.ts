import type { JsonValue } from "../../mesh/xds/json.ts";
import type { UpstreamCluster } from "../data-path/upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../data-path/upstream/upstream-host.ts";

type Clusters = readonly (readonly [string, UpstreamCluster])[];

/** Envoy's `/clusters` in its text form. */
export function clustersText(clusters: Clusters): string {
  const lines = clusters.flatMap(([name, cluster]) => [
    `${name}::observability_name::${name}`,
    `${name}::default_priority::max_connections::${limit(cluster.model.limits.maxConnections)}`,
    `${name}::default_priority::max_requests::${limit(cluster.model.limits.maxRequests)}`,
    `${name}::default_priority::max_retries::${limit(cluster.model.limits.maxRetries)}`,
    `${name}::added_via_api::true`,
    ...[...cluster.hosts].flatMap((host) => hostLines(name, host)),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

function hostLines(cluster: string, host: UpstreamHost): string[] {
  const { endpoint } = host;
  return [
    `rq_active::${host.active}`,
    `rq_total::${host.total}`,
    `rq_error::${host.failures}`,
    `hostname::`,
    `health_flags::${healthFlags(host)}`,
    `weight::${endpoint.weight}`,
    `priority::${endpoint.priority}`,
  ].map((part) => `${cluster}::${host.key}::${part}`);
}

function healthFlags({ endpoint, failsChecks }: UpstreamHost): string {
  const flags = `${failsChecks ? "/failed_active_hc" : ""}${endpoint.healthy ? "" : "/failed_eds_health"}`;
  return flags || "healthy";
}

/** Envoy's `/clusters?format=json` (envoy.admin.v3.Clusters). */
export function clustersJson(clusters: Clusters): JsonValue {
  return {
    cluster_statuses: clusters.map(([name, cluster]) => ({
      name,
      observability_name: name,
      added_via_api: true,
      host_statuses: [...cluster.hosts].map((host) => ({
        address: { socket_address: { address: host.endpoint.address, port_value: host.endpoint.port } },
        stats: [
          { name: "rq_total", value: String(host.total), type: "COUNTER" },
          { name: "rq_error", value: String(host.failures), type: "COUNTER" },
          { name: "rq_active", value: String(host.active), type: "GAUGE" },
        ],
        health_status: {
          ...(host.failsChecks ? { failed_active_health_check: true } : {}),
          eds_health_status: host.endpoint.healthy ? "HEALTHY" : "UNHEALTHY",
        },
        weight: host.endpoint.weight,
        priority: host.endpoint.priority,
      })),
    })),
  };
}

function limit(value: number): number {
  return Number.isFinite(value) ? value : 4_294_967_295;
}
