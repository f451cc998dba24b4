import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { ServiceEntryPort } from "../../mesh/model/service-entry.ts";
import type { PlacedWorkload, WorkloadPort } from "../../mesh/model/workload.ts";
import type { WorkloadEntrySpec } from "../../mesh/model/workload-entry.ts";
import { selects } from "../snapshot/labels.ts";
import { entryLabels, ServiceEntryIndex } from "./service-entry-index.ts";
import { ofKind } from "./stored-objects.ts";

/** Who "registered" a workload that only files know. */
const FILES_AGENT = "files";

/**
 * The workloads that WorkloadEntries describe, for a mesh without agents: one each, of the entry's name. A workload has
 * the ports of the ServiceEntries of its namespace that select it or list its address. One that a Gateway selects is a
 * gateway: it has no application, and a ServiceEntry that selects it too is the name that the mesh calls it by.
 */
export function workloadsFromEntries(
  objects: readonly StoredObject[],
  mesh: Pick<MeshConfigSpec, "interceptionMode">,
): readonly PlacedWorkload[] {
  const services = new ServiceEntryIndex(ofKind(objects, "ServiceEntry"));
  const gateways = ofKind(objects, "Gateway");
  return ofKind(objects, "WorkloadEntry").map((entry) => {
    const labels = entryLabels(entry);
    const isGateway = gateways.some(
      ({ spec }) => Object.keys(spec.selector).length > 0 && selects(spec.selector, labels),
    );
    return {
      name: entry.metadata.name,
      namespace: entry.metadata.namespace,
      service: "",
      serviceAccount: entry.spec.serviceAccount || "default",
      labels,
      ports: isGateway ? [] : portsOf(entry, services.having(entry)),
      upstreams: [],
      healthy: true,
      weight: Math.max(1, entry.spec.weight),
      locality: entry.spec.locality,
      network: entry.spec.network,
      role: isGateway ? "gateway" : "sidecar",
      interception: isGateway ? "none" : interceptionOf(mesh),
      capturedAt: undefined,
      discovery: "mesh",
      httpProxy: undefined,
      vips: "none",
      reportsCalls: false,
      mtls: undefined,
      dataPlane: "envoy",
      catalog: undefined,
      group: undefined,
      agentId: FILES_AGENT,
      registeredAt: entry.createdAt,
      banned: false,
    };
  });
}

/** Istio's order: the entry's own number for the port's name, the service's target port, the service's number. */
export function targetPortOf(
  { ports }: Pick<WorkloadEntrySpec, "ports">,
  { name, targetPort, number }: ServiceEntryPort,
): number {
  return ports[name] ?? targetPort ?? number;
}

/**
 * One port for each target: of two services with the same one the older names it. A service that lists the workload's
 * address says itself which ports it means there.
 */
function portsOf(
  { spec }: StoredObject<"WorkloadEntry">,
  serviceEntries: readonly StoredObject<"ServiceEntry">[],
): readonly WorkloadPort[] {
  const ports = new Map<number, WorkloadPort>();
  const targets = serviceEntries.flatMap(({ spec: { ports: offered, endpoints } }) => {
    const listed = endpoints.filter(
      ({ address, network }) => address === spec.address && network === spec.network,
    );
    const meant = listed.length > 0 ? listed : [spec];
    return meant.flatMap((one) => offered.map((port) => ({ port, number: targetPortOf(one, port) })));
  });
  for (const { port, number } of targets) {
    if (ports.has(number)) continue;
    ports.set(number, {
      name: port.name,
      protocol: port.protocol,
      servicePort: number,
      inbound: { address: spec.address, port: number },
      app: { address: "127.0.0.1", port: number },
    });
  }
  return [...ports.values()];
}

function interceptionOf({
  interceptionMode,
}: Pick<MeshConfigSpec, "interceptionMode">): PlacedWorkload["interception"] {
  switch (interceptionMode) {
    case "NONE":
      return "none";
    case "TPROXY":
      return "tproxy";
    default:
      return "redirect";
  }
}
