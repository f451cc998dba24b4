import type { ClusterStatus, HostStatus } from "../admin/clusters.ts";

/** One list for what several workers tell of the same clusters: what they count is summed up. */
export function mergeClusters(lists: readonly (readonly ClusterStatus[])[]): readonly ClusterStatus[] {
  const merged = new Map<string, ClusterStatus>();
  for (const cluster of lists.flat()) {
    const before = merged.get(cluster.name);
    merged.set(
      cluster.name,
      before ? { ...before, hosts: sum([...before.hosts, ...cluster.hosts]) } : cluster,
    );
  }
  return [...merged.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sum(hosts: readonly HostStatus[]): readonly HostStatus[] {
  const merged = new Map<string, HostStatus>();
  for (const host of hosts) {
    const before = merged.get(host.key);
    const counted = before && {
      ...before,
      // Each worker checks for itself.
      failsChecks: before.failsChecks || host.failsChecks,
      active: before.active + host.active,
      total: before.total + host.total,
      failures: before.failures + host.failures,
    };
    merged.set(host.key, counted ?? host);
  }
  return [...merged.values()];
}
