import type { Workload } from "../../mesh/model/workload.ts";
import type { Workload as WorkloadMessage } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";

/** A workload as it goes to the server. */
export function toMessage(workload: Workload): WorkloadMessage {
  return {
    name: workload.name,
    namespace: workload.namespace,
    service: workload.service,
    serviceAccount: workload.serviceAccount,
    labels: { ...workload.labels },
    ports: workload.ports.map(({ name, protocol, servicePort, inbound, bind, app }) => ({
      name,
      protocol,
      servicePort,
      inboundAddress: inbound.address,
      inboundPort: inbound.port,
      appAddress: app.address,
      appPort: app.port,
      bind: bind && { ...bind },
    })),
    upstreams: workload.upstreams.map(({ host, port, bind }) => ({
      host,
      port,
      bindAddress: bind.address,
      bindPort: bind.port,
    })),
    healthy: workload.healthy,
    catalog: workload.catalog === undefined ? undefined : { ...workload.catalog },
    locality: workload.locality,
    dataPlane: workload.dataPlane,
    weight: workload.weight,
    network: workload.network,
    role: workload.role,
    interception: workload.interception,
    capturedAt: workload.capturedAt && { ...workload.capturedAt },
    discovery: workload.discovery,
    httpProxy: workload.httpProxy === undefined ? undefined : { ...workload.httpProxy },
    vips: workload.vips,
    reportsCalls: workload.reportsCalls,
    group: workload.group?.name ?? "",
    defaulted: [...(workload.group?.defaulted ?? [])],
    mtls: workload.mtls ?? "",
  };
}
