import type { Workload } from "../../mesh/model/workload.ts";
import type { GatewayRole } from "../config.ts";
import type { PlanSettings } from "./plan-workloads.ts";

/**
 * The gateways of this host as workloads. They have no application; the ports are those that callers in the mesh know of
 * them as a service, and what they listen at is said by the Gateways that select them.
 */
export function planGateways(
  gateways: readonly GatewayRole[],
  hostAddress: string,
  settings: Omit<PlanSettings, "isHere">,
): readonly Workload[] {
  return gateways.map((gateway) => ({
    name: gateway.name,
    namespace: gateway.namespace,
    service: gateway.service ?? gateway.name,
    serviceAccount: gateway.serviceAccount ?? gateway.name,
    labels: { app: gateway.name, ...gateway.labels },
    ports: gateway.ports.map(({ port, protocol, name }) => {
      const place = { address: gateway.address ?? hostAddress, port };
      return {
        name: name ?? `${protocol}-${port}`,
        protocol,
        servicePort: port,
        inbound: place,
        app: place,
      };
    }),
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: gateway.locality ?? settings.locality,
    network: gateway.network ?? settings.network,
    role: "gateway",
    interception: "none",
    capturedAt: undefined,
    discovery: "mesh",
    httpProxy: undefined,
    vips: "none",
    reportsCalls: true,
    mtls: undefined,
    dataPlane: settings.dataPlane,
    catalog: undefined,
    group: undefined,
  }));
}
