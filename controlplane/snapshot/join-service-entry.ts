import type { StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, EndpointTarget, Service } from "../../mesh/model/service.ts";
import type { ServiceEntryPort, ServiceEntrySpec } from "../../mesh/model/service-entry.ts";
import type { WorkloadEntrySpec } from "../../mesh/model/workload-entry.ts";
import type { JoinedService } from "./join-catalog.ts";
import { selects } from "./labels.ts";
import { by } from "./text-order.ts";

/** Label by which an endpoint says whether a mesh proxy takes its traffic, as Istio has it: `istio` or `disabled`. */
const TLS_MODE_LABEL = "security.istio.io/tlsMode";

/** One host of a ServiceEntry, with the WorkloadEntries of its namespace that it may select. */
export function joinServiceEntry(
  entry: StoredObject<"ServiceEntry">,
  hostname: string,
  workloadEntries: readonly StoredObject<"WorkloadEntry">[],
): JoinedService {
  const { spec, metadata } = entry;
  const service: Service = {
    hostname,
    name: hostname,
    namespace: metadata.namespace,
    ports: spec.ports.map(({ name, number, protocol }) => ({ name, number, protocol })),
    resolution: resolutionOf(spec),
    external: spec.location === "MESH_EXTERNAL",
    subjectAltNames: spec.subjectAltNames,
    exportTo: spec.exportTo.length === 0 ? ["*"] : spec.exportTo,
    createdAt: entry.createdAt,
    source: "ServiceEntry",
  };
  return { service, endpoints: endpointsOf(entry, hostname, workloadEntries) };
}

function resolutionOf({ resolution }: ServiceEntrySpec): Service["resolution"] {
  switch (resolution) {
    case "STATIC":
      return "static";
    case "NONE":
      return "none";
    case "DNS":
    case "DNS_ROUND_ROBIN":
    case "DYNAMIC_DNS":
      return "dns";
    default:
      return resolution satisfies never;
  }
}

function endpointsOf(
  { spec, metadata }: StoredObject<"ServiceEntry">,
  hostname: string,
  workloadEntries: readonly StoredObject<"WorkloadEntry">[],
): readonly Endpoint[] {
  const { namespace } = metadata;
  if (spec.workloadSelector !== undefined) {
    const selector = spec.workloadSelector;
    return workloadEntries
      .filter((one) => one.metadata.namespace === namespace)
      .filter((one) => selects(selector, { ...one.metadata.labels, ...one.spec.labels }))
      .map((one) =>
        endpoint(`WorkloadEntry/${namespace}/${one.metadata.name}`, namespace, one.spec, spec.ports),
      )
      .sort(by(({ id }) => id));
  }
  if (spec.endpoints.length > 0) {
    return spec.endpoints.map((one, index) =>
      endpoint(
        `ServiceEntry/${namespace}/${metadata.name}/${String(index).padStart(4, "0")}`,
        namespace,
        one,
        spec.ports,
      ),
    );
  }
  if (spec.resolution === "STATIC" || hostname.startsWith("*")) return [];
  return [
    endpoint(`ServiceEntry/${namespace}/${metadata.name}/host`, namespace, bareHost(hostname), spec.ports),
  ];
}

/** Without endpoints the host itself is looked up. */
function bareHost(address: string): WorkloadEntrySpec {
  return { address, ports: {}, labels: {}, network: "", locality: "", weight: 1, serviceAccount: "" };
}

function endpoint(
  id: string,
  namespace: string,
  entry: WorkloadEntrySpec,
  ports: readonly ServiceEntryPort[],
): Endpoint {
  const tlsMode = entry.labels[TLS_MODE_LABEL] ?? (entry.serviceAccount === "" ? "disabled" : "istio");
  return {
    id,
    targets: ports.map((port) => target(entry, port)),
    labels: entry.labels,
    meshed: tlsMode === "istio",
    namespace,
    serviceAccount: entry.serviceAccount || undefined,
    healthy: true,
    weight: Math.max(1, entry.weight),
    locality: entry.locality,
    workload: undefined,
  };
}

/** Istio's order: a unix path has no port; else the entry's own by name, the service's target port, its number. */
function target(entry: WorkloadEntrySpec, port: ServiceEntryPort): EndpointTarget {
  const number = entry.address.startsWith("unix://")
    ? 0
    : (entry.ports[port.name] ?? port.targetPort ?? port.number);
  return { servicePort: port.number, address: entry.address, port: number };
}
