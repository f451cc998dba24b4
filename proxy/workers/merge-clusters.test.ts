import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterStatus, clustersText, type HostStatus } from "../admin/clusters.ts";
import { mergeClusters } from "./merge-clusters.ts";

const limits = { maxConnections: 1, maxRequests: 2, maxRetries: 3 };

function host(port: number, over: Partial<HostStatus> = {}): HostStatus {
  return {
    key: `127.0.0.1:${port}`,
    address: "127.0.0.1",
    port,
    healthy: true,
    failsChecks: false,
    weight: 1,
    priority: 0,
    active: 1,
    total: 10,
    failures: 2,
    ...over,
  };
}

test("what workers count of a host is summed up, and a host that one of them finds unwell is told as such", () => {
  const one: readonly ClusterStatus[] = [{ name: "c", limits, hosts: [host(1), host(2)] }];
  const another: readonly ClusterStatus[] = [
    { name: "c", limits, hosts: [host(1, { failsChecks: true, healthy: false }), host(3)] },
    { name: "b", limits, hosts: [] },
  ];
  const summed = { active: 2, total: 20, failures: 4, failsChecks: true };
  const merged = mergeClusters([one, another]);
  assert.deepEqual(merged, [
    { name: "b", limits, hosts: [] },
    { name: "c", limits, hosts: [host(1, summed), host(2), host(3)] },
  ]);
  assert.match(clustersText(merged), /^c::127\.0\.0\.1:1::health_flags::\/failed_active_hc$/m);
});
