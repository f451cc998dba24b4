import type { StoredObject } from "../../mesh/model/object.ts";
import type { Endpoint, EndpointTarget, Service, ServiceKey } from "../../mesh/model/service.ts";
import type { ServiceEntryPort, ServiceEntrySpec } from "../../mesh/model/service-entry.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import type { WorkloadEntrySpec } from "../../mesh/model/workload-entry.ts";
import type { JoinedService } from "./join-catalog.ts";
import { selects } from "./labels.ts";
import { by } from "./text-order.ts";

/** Label by which an endpoint says whether a mesh proxy takes its traffic, as Istio has it: `istio` or `disabled`. */
const TLS_MODE_LABEL = "security.istio.io/tlsMode";

/** What a ServiceEntry with a workload selector may select: all of its namespace. */
export interface SelectionCandidates {
  readonly entries: readonly StoredObject<"WorkloadEntry">[];
  readonly workloads: readonly PlacedWorkload[];
}

/**
 * The services that ServiceEntries, oldest first, make of a host; oldest first. Those of one namespace that are reached in
 * the same way by the same callers are one: they add ports, addresses and endpoints, and of two that have a port the
 * older says what is spoken there.
 */
export function joinServiceEntries(
  entries: readonly StoredObject<"ServiceEntry">[],
  hostname: string,
  candidatesOf: (entry: StoredObject<"ServiceEntry">) => SelectionCandidates,
): readonly JoinedService[] {
  const groups = Map.groupBy(entries, (one) => entryServiceKey(one, hostname));
  return [...groups.values()].map((same) =>
    same.map((one) => joinServiceEntry(one, hostname, candidatesOf(one))).reduce(united),
  );
}

/** The service of a host that a ServiceEntry describes, or adds to. */
export function entryServiceKey(
  { metadata, spec }: StoredObject<"ServiceEntry">,
  hostname: string,
): ServiceKey {
  return `${metadata.namespace}/${hostname}/${[resolutionOf(spec), ...spec.exportTo].join("/")}`;
}

function united(older: JoinedService, younger: JoinedService): JoinedService {
  const known = new Map(older.service.ports.map(({ number, name }) => [number, name]));
  const added = younger.service.ports.filter(({ number }) => !known.has(number));
  // A port of another name is another port, though it has the same number.
  const joining = new Set(
    younger.service.ports
      .filter(({ number, name }) => (known.get(number) ?? name) === name)
      .map(({ number }) => number),
  );
  const union = (field: "addresses" | "subjectAltNames"): readonly string[] => [
    ...new Set([...older.service[field], ...younger.service[field]]),
  ];
  const endpoints = new Map(older.endpoints.map((one) => [one.id, one]));
  for (const one of younger.endpoints) {
    const before = endpoints.get(one.id)?.targets ?? [];
    const taken = new Set(before.map(({ servicePort }) => servicePort));
    const targets = one.targets.filter(
      ({ servicePort }) => joining.has(servicePort) && !taken.has(servicePort),
    );
    if (targets.length > 0) endpoints.set(one.id, { ...one, targets: [...before, ...targets] });
  }
  return {
    service: {
      ...older.service,
      ports: [...older.service.ports, ...added],
      addresses: union("addresses"),
      subjectAltNames: union("subjectAltNames"),
    },
    endpoints: [...endpoints.values()].sort(by(({ id }) => id)),
  };
}

/** One host of a ServiceEntry, with what it selects in its namespace. */
function joinServiceEntry(
  entry: StoredObject<"ServiceEntry">,
  hostname: string,
  candidates: SelectionCandidates,
): JoinedService {
  const { spec, metadata } = entry;
  const service: Service = {
    key: entryServiceKey(entry, hostname),
    hostname,
    name: hostname,
    namespace: metadata.namespace,
    ports: spec.ports.map(({ name, number, protocol }) => ({ name, number, protocol })),
    resolution: resolutionOf(spec),
    addresses: spec.addresses,
    external: spec.location === "MESH_EXTERNAL",
    subjectAltNames: spec.subjectAltNames,
    exportTo: spec.exportTo,
    createdAt: entry.createdAt,
    source: "ServiceEntry",
  };
  return { service, endpoints: endpointsOf(entry, hostname, candidates) };
}

function resolutionOf({ resolution }: ServiceEntrySpec): Service["resolution"] {
  switch (resolution) {
    case "STATIC":
      return "static";
    case "NONE":
      return "none";
    case "DNS":
      return "dns";
    case "DNS_ROUND_ROBIN":
      return "logical-dns";
    case "DYNAMIC_DNS":
      return "dynamic-dns";
    default:
      return resolution satisfies never;
  }
}

function endpointsOf(
  { spec, metadata }: StoredObject<"ServiceEntry">,
  hostname: string,
  { entries, workloads }: SelectionCandidates,
): readonly Endpoint[] {
  const { namespace } = metadata;
  if (spec.workloadSelector !== undefined) {
    const selector = spec.workloadSelector;
    const gateways = new Set(workloads.filter(({ role }) => role === "gateway").map(workloadId));
    const selected = entries
      .filter((one) => selects(selector, { ...one.metadata.labels, ...one.spec.labels }))
      .map((one) => {
        const id = `WorkloadEntry/${namespace}/${one.metadata.name}`;
        const isGateway = gateways.has(`${namespace}/${one.metadata.name}`);
        return endpoint(id, namespace, one.spec, spec.ports, isGateway);
      });
    const placed = workloads
      .filter((one) => one.role === "sidecar" && selects(selector, one.labels))
      .map((one) => workloadEndpoint(one, spec.ports))
      // A workload that was made from a WorkloadEntry is that entry.
      .filter(
        ({ workload }) => !entries.some(({ metadata }) => `${namespace}/${metadata.name}` === workload),
      );
    return [...selected, ...placed].sort(by(({ id }) => id));
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

/** What a gateway listens at is for Gateways to say: callers use mesh TLS where a label or a DestinationRule has them do so. */
function endpoint(
  id: string,
  namespace: string,
  entry: WorkloadEntrySpec,
  ports: readonly ServiceEntryPort[],
  isGateway = false,
): Endpoint {
  const takesTls = entry.serviceAccount !== "" && !isGateway;
  const tlsMode = entry.labels[TLS_MODE_LABEL] ?? (takesTls ? "istio" : "disabled");
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
    network: entry.network,
    workload: undefined,
  };
}

/**
 * The port of a workload of an agent that a port of a ServiceEntry means: the one that its group has under that name, the
 * one of its name, else of its target's number.
 */
export function registeredPort(
  { ports, group }: Pick<PlacedWorkload, "ports" | "group">,
  { number, targetPort = number, name }: ServiceEntryPort,
): PlacedWorkload["ports"][number] | undefined {
  const numbered = (wanted: number): PlacedWorkload["ports"][number] | undefined =>
    ports.find(({ app, servicePort }) => app.port === wanted || servicePort === wanted);
  const told = group?.applied?.said.template.ports[name];
  if (told !== undefined) return numbered(told);
  return ports.find((one) => one.name === name) ?? numbered(targetPort);
}

/** A workload of an agent. A captured one takes calls at every port. */
function workloadEndpoint(workload: PlacedWorkload, ports: readonly ServiceEntryPort[]): Endpoint {
  const id = workloadId(workload);
  return {
    id: `agents/${id}`,
    targets: ports.flatMap((port) => {
      const { number, name } = port;
      const targetPort = workload.group?.applied?.said.template.ports[name] ?? port.targetPort ?? number;
      const own = registeredPort(workload, port);
      if (own !== undefined) return [{ servicePort: number, ...own.inbound }];
      const address = workload.interception === "none" ? undefined : workload.ports[0]?.inbound.address;
      return address === undefined ? [] : [{ servicePort: number, address, port: targetPort }];
    }),
    labels: workload.labels,
    meshed: true,
    namespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
    healthy: workload.healthy,
    weight: workload.weight,
    locality: workload.locality,
    network: workload.network,
    workload: id,
  };
}

/** Istio's order: a unix path has no port; else the entry's own by name, the service's target port, its number. */
function target(entry: WorkloadEntrySpec, port: ServiceEntryPort): EndpointTarget {
  const number = entry.address.startsWith("unix://")
    ? 0
    : (entry.ports[port.name] ?? port.targetPort ?? port.number);
  return { servicePort: port.number, address: entry.address, port: number };
}
