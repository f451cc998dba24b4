import type { Endpoint, EndpointTarget, Protocol, Service, ServicePort } from "../../mesh/model/service.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { allocationOf } from "../../mesh/nomad/nomad-allocation.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import { serviceHostname } from "./host-names.ts";
import type { MeshSettings } from "./mesh-snapshot.ts";
import { by, byText } from "./text-order.ts";

/** Everything that is known of one service by its name: what catalogs list and what agents registered. */
export interface ServiceSources {
  readonly namespace: string;
  readonly service: string;
  readonly instances: readonly (CatalogInstance & { readonly registry: string })[];
  readonly workloads: readonly PlacedWorkload[];
}

export interface JoinedService {
  readonly service: Service;
  readonly endpoints: readonly Endpoint[];
  /** Those that are left out because they are banned. */
  readonly withheld?: readonly Endpoint[];
}

/** The port of a service whose instances neither name one nor agree on one. */
const FALLBACK_PORT = 80;

/**
 * Joins the instances of catalogs with the workloads of agents. An instance that a workload of the same service names
 * is reached through that workload's proxy; one that nobody names is reached as it is, in plaintext; a workload without
 * a catalog is an endpoint of its own, one whose catalog instance is gone is none, and neither is one that is banned.
 * Undefined: there is no such service.
 */
export function joinCatalog(sources: ServiceSources, settings: MeshSettings): JoinedService | undefined {
  const claims = claimsOf(sources.workloads);
  const known = [...sources.instances].sort(by((one) => `${one.registry}/${one.id}`));
  const instances = withoutDoubles(known, (one) => claims.has(`${one.registry}/${one.id}`));
  const standalone = sources.workloads.filter((workload) => workload.catalog === undefined);
  if (instances.length === 0 && standalone.length === 0) return undefined;
  const fallback = agreedPort(instances);
  const joined = instances.map((instance) => {
    const workload = claims.get(claimOf(instance.registry, instance.id));
    return workload === undefined
      ? plainEndpoint(instance, fallback)
      : meshedEndpoint(instance, workload, instance.servicePort ?? fallback);
  });
  const all = [...joined, ...standalone.map(ownEndpoint)].sort(by(({ endpoint }) => endpoint.id));
  const banned = new Set(sources.workloads.flatMap((one) => (one.banned ? [workloadId(one)] : [])));
  const hostname = serviceHostname(sources.service, sources.namespace, settings);
  const service: Service = {
    key: `${sources.namespace}/${hostname}`,
    hostname,
    name: sources.service,
    namespace: sources.namespace,
    ports: servicePorts(all.flatMap(({ ports }) => ports)),
    resolution: "static",
    addresses: [],
    external: false,
    subjectAltNames: [],
    exportTo: ["*"],
    createdAt: 0,
    source: instances[0]?.registry ?? "agents",
  };
  const endpoints = all.map(({ endpoint }) => endpoint);
  if (banned.size === 0) return { service, endpoints };
  const isBanned = ({ workload }: Endpoint): boolean => banned.has(workload ?? "");
  return {
    service,
    endpoints: endpoints.filter((one) => !isBanned(one)),
    withheld: endpoints.filter(isBanned),
  };
}

interface PortClaim {
  readonly number: number;
  readonly protocol: Protocol | undefined;
  readonly name: string | undefined;
}

interface Joined {
  readonly endpoint: Endpoint;
  readonly ports: readonly PortClaim[];
}

type Listed = ServiceSources["instances"][number];

/**
 * A job of Nomad's may register a service both there and in Consul: that is one instance. The one that a workload names
 * stays, else Consul's, which has its checks.
 */
function withoutDoubles(
  instances: readonly Listed[],
  isClaimed: (one: Listed) => boolean,
): readonly Listed[] {
  const pairs = Map.groupBy(instances, placeOf);
  return instances.filter((one) => {
    const place = placeOf(one);
    const others =
      place === undefined ? [] : (pairs.get(place) ?? []).filter(({ registry }) => registry !== one.registry);
    if (others.length === 0) return true;
    const claimed = isClaimed(one);
    return claimed === others.some(isClaimed) ? one.registry === "consul" : claimed;
  });
}

/** The place of an instance of an allocation; undefined: it is of none. */
function placeOf({ id, address, port }: Listed): string | undefined {
  const allocation = allocationOf(id.slice(id.indexOf("/") + 1));
  return allocation === undefined ? undefined : `${allocation} ${address} ${port}`;
}

/** Which workload stands for which instance. When several claim the same, the first that registered keeps it. */
function claimsOf(workloads: readonly PlacedWorkload[]): ReadonlyMap<string, PlacedWorkload> {
  const claims = new Map<string, PlacedWorkload>();
  const oldestFirst = [...workloads].sort(
    (a, b) => a.registeredAt - b.registeredAt || byText(workloadId(a), workloadId(b)),
  );
  for (const workload of oldestFirst) {
    if (workload.catalog === undefined) continue;
    const key = claimOf(workload.catalog.registry, workload.catalog.instanceId);
    if (!claims.has(key)) claims.set(key, workload);
  }
  return claims;
}

/** An agent knows the kind of its catalog, not how many of them the server reads: `consul/dc2` is `consul`. */
function claimOf(registry: string, instanceId: string): string {
  return `${registry.split("/", 1)[0]}/${instanceId}`;
}

function agreedPort(instances: readonly CatalogInstance[]): number {
  const [first, ...others] = new Set(instances.map(({ port }) => port));
  return first !== undefined && others.length === 0 ? first : FALLBACK_PORT;
}

function plainEndpoint(instance: ServiceSources["instances"][number], fallback: number): Joined {
  const number = instance.servicePort ?? fallback;
  return {
    endpoint: {
      id: `${instance.registry}/${instance.id}`,
      targets: [{ servicePort: number, address: instance.address, port: instance.port }],
      labels: instance.labels,
      meshed: false,
      namespace: instance.namespace,
      serviceAccount: undefined,
      healthy: instance.healthy,
      weight: instance.weight,
      locality: instance.locality,
      network: "",
      workload: undefined,
    },
    ports: [{ number, protocol: instance.protocol, name: undefined }],
  };
}

function meshedEndpoint(
  instance: ServiceSources["instances"][number],
  workload: PlacedWorkload,
  catalogPort: number,
): Joined {
  // The catalog's port rule sees all instances, an agent only its own: with a single port the catalog decides.
  const single = workload.ports.length === 1;
  const numberOf = (servicePort: number): number => (single ? catalogPort : servicePort);
  return {
    endpoint: {
      ...workloadEndpoint(workload, `${instance.registry}/${instance.id}`, targetsOf(workload, numberOf)),
      labels: { ...instance.labels, ...workload.labels },
      healthy: instance.healthy && workload.healthy,
      weight: groupWeight(workload) ?? instance.weight,
      locality: workload.locality || instance.locality,
    },
    ports: workload.ports.map((port) => ({
      number: numberOf(port.servicePort),
      protocol: single ? (instance.protocol ?? port.protocol) : port.protocol,
      name: port.name,
    })),
  };
}

/** The catalog says a workload's weight, unless nobody but its group does. 1 says nothing. */
function groupWeight({ group, weight }: PlacedWorkload): number | undefined {
  return group?.applied !== undefined && group.defaulted.includes("weight") && weight > 1
    ? weight
    : undefined;
}

function ownEndpoint(workload: PlacedWorkload): Joined {
  return {
    endpoint: workloadEndpoint(
      workload,
      `agents/${workloadId(workload)}`,
      targetsOf(workload, (port) => port),
    ),
    ports: workload.ports.map(({ servicePort, protocol, name }) => ({ number: servicePort, protocol, name })),
  };
}

function targetsOf(workload: PlacedWorkload, numberOf: (servicePort: number) => number): EndpointTarget[] {
  return workload.ports.map(({ servicePort, inbound }) => ({
    servicePort: numberOf(servicePort),
    ...inbound,
  }));
}

function workloadEndpoint(
  workload: PlacedWorkload,
  id: string,
  targets: readonly EndpointTarget[],
): Endpoint {
  return {
    id,
    targets,
    labels: workload.labels,
    // What a gateway listens at is for Gateways to say: callers use mesh TLS where a DestinationRule tells them to.
    meshed: workload.role === "sidecar",
    namespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
    healthy: workload.healthy,
    weight: workload.weight,
    locality: workload.locality,
    network: workload.network,
    workload: workloadId(workload),
  };
}

/** One port for each number. Instances that disagree on its protocol get `tcp`, which is right for all of them. */
function servicePorts(claims: readonly PortClaim[]): readonly ServicePort[] {
  const numbers = [...new Set(claims.map(({ number }) => number))].sort((a, b) => a - b);
  return numbers.map((number) => {
    const same = claims.filter((claim) => claim.number === number);
    const spoken = new Set(same.flatMap(({ protocol }) => (protocol === undefined ? [] : [protocol])));
    const [first, ...others] = spoken;
    const protocol = first === undefined || others.length > 0 ? "tcp" : first;
    const name = same
      .map((claim) => claim.name ?? "")
      .sort(byText)
      .at(-1);
    return { name: name || `${protocol}-${number}`, number, protocol };
  });
}
