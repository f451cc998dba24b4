import type { RegistryReply, ServiceReply, WorkloadReply } from "../../mesh/admin-api/replies.ts";
import { workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { Endpoint, Service } from "../../mesh/model/service.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { Registry } from "../registry/registry.ts";

export function toServiceReply(service: Service, endpoints: readonly Endpoint[]): ServiceReply {
  return {
    hostname: service.hostname,
    name: service.name,
    namespace: service.namespace,
    ports: service.ports,
    source: service.source,
    endpoints: endpoints.length,
    healthy: endpoints.filter(({ healthy }) => healthy).length,
    meshed: endpoints.filter(({ meshed }) => meshed).length,
  };
}

export function toWorkloadReply(workload: PlacedWorkload, trustDomain: string): WorkloadReply {
  return {
    name: workload.name,
    namespace: workload.namespace,
    service: workload.service,
    spiffeId: workloadSpiffeId(trustDomain, workload.namespace, workload.serviceAccount),
    agent: workload.agentId,
    dataPlane: workload.dataPlane,
    inbound: workload.ports.map(({ inbound: { address, port } }) =>
      address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    ),
    healthy: workload.healthy,
    labels: workload.labels,
    group: workload.group?.name ?? null,
    registeredAt: new Date(workload.registeredAt).toISOString(),
  };
}

export function toRegistryReply({
  name,
  status,
  problems = [],
}: Pick<Registry, "name" | "status" | "problems">): RegistryReply {
  return {
    name,
    state: status.state,
    since: status.state === "starting" ? null : new Date(status.since).toISOString(),
    reason: status.state === "stale" ? status.reason : null,
    problems: problems.slice(0, 100),
  };
}
