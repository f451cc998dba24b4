import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { isNameless } from "../../../mesh/model/protocols.ts";
import { type Finding, nameOf } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

const NETWORK_LABEL = "topology.istio.io/network";

/** Endpoints in a network that has no gateway: nobody outside it reaches them. */
export function* endpointNetworks(mesh: MeshFacts): Iterable<Finding> {
  const reachable = networksWithGateway(mesh);
  const endpoints = mesh.list("ServiceEntry").flatMap(({ spec }) => spec.endpoints);
  const used = new Set([...mesh.workloads, ...endpoints].map(({ network }) => network));
  for (const { network, subject, path } of networksOf(mesh)) {
    // Where everybody is in the one network, nobody needs a gateway.
    if (reachable.has(network) || [...used].every((other) => other === network)) continue;
    const message = `network ${network} has no gateway: workloads of other networks cannot reach this endpoint`;
    yield { code: "LAT0002", subject, path: [...path, "network"], message };
  }
}

/** Addresses that two endpoints of one network claim with the same port: calls reach whichever holds it. */
export function* endpointAddresses(mesh: MeshFacts): Iterable<Finding> {
  const entries = mesh.list("WorkloadEntry");
  const ports = new Map(
    mesh.workloads.map(({ namespace, name, ports }) => [
      `${namespace}/${name}`,
      new Set(ports.map(({ inbound }) => inbound.port)),
    ]),
  );
  const portsOf = (entry: StoredObject): ReadonlySet<number> => ports.get(nameOf(entry)) ?? new Set();
  const claims = Map.groupBy(entries, ({ spec }) => `${spec.network} ${spec.address.toLowerCase()}`);
  for (const claimants of claims.values()) {
    for (const subject of claimants) {
      const own = portsOf(subject);
      const rivals = claimants.filter((one) => one !== subject && collide(own, portsOf(one)));
      if (subject.spec.address === "" || rivals.length === 0) continue;
      const names = rivals.map(nameOf).join(", ");
      const message = `${subject.spec.address} is also the address of WorkloadEntry ${names}`;
      yield { code: "LAT0003", subject, path: ["spec", "address"], message };
    }
  }
}

/** Addresses of services that two ServiceEntries claim at one port that is not HTTP: the calls cannot be told apart. */
export function* serviceAddresses(mesh: MeshFacts): Iterable<Finding> {
  const claims = mesh
    .list("ServiceEntry")
    .flatMap((subject) => subject.spec.addresses.map((address, index) => ({ subject, address, index })));
  for (const [address, claimants] of Map.groupBy(claims, (claim) => claim.address)) {
    for (const { subject, index } of claimants) {
      const rivals = claimants.filter((one) => one.subject !== subject && sharePort(subject, one.subject));
      if (rivals.length === 0) continue;
      const names = rivals.map((one) => nameOf(one.subject)).join(", ");
      const message = `ServiceEntry ${names} has the address ${address} too, with a port of the same number`;
      yield { code: "LAT0004", subject, path: ["spec", "addresses", index], message };
    }
  }
}

/** Two workloads of which one's ports are unknown may well hold the same. */
function collide(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === 0 || b.size === 0 || a.intersection(b).size > 0;
}

/** Services of different hosts with a TCP port of one number. */
function sharePort(
  { spec }: StoredObject<"ServiceEntry">,
  { spec: other }: StoredObject<"ServiceEntry">,
): boolean {
  if (other.hosts.some((host) => spec.hosts.includes(host))) return false;
  const numbers = new Set(
    spec.ports.filter(({ protocol }) => isNameless(protocol)).map(({ number }) => number),
  );
  return other.ports.some((port) => isNameless(port.protocol) && numbers.has(port.number));
}

interface PlacedNetwork {
  readonly network: string;
  readonly subject: StoredObject;
  readonly path: FieldPath;
}

function networksOf(mesh: MeshFacts): readonly PlacedNetwork[] {
  const entries = mesh.list("WorkloadEntry").map((subject) => ({
    network: subject.spec.network,
    subject,
    path: ["spec"],
  }));
  const endpoints = mesh.list("ServiceEntry").flatMap((subject) =>
    subject.spec.endpoints.map(({ network }, index) => ({
      network,
      subject,
      path: ["spec", "endpoints", index],
    })),
  );
  return [...entries, ...endpoints].filter(({ network }) => network !== "");
}

/** Networks with a gateway that somebody named: in the MeshConfig, or a Gateway that passes mesh traffic on. */
function networksWithGateway(mesh: MeshFacts): ReadonlySet<string> {
  const named = Object.entries(mesh.settings.mesh.networks)
    .filter(([, { gateways }]) => gateways.length > 0)
    .map(([network]) => network);
  const passing = mesh
    .list("Gateway")
    .filter(({ spec }) => spec.servers.some(({ tls }) => tls?.mode === "AUTO_PASSTHROUGH"))
    .flatMap(({ spec, metadata }) => [
      metadata.labels[NETWORK_LABEL] ?? "",
      ...mesh
        .gatewayWorkloads(spec.selector)
        .map(({ network, labels }) => network || (labels[NETWORK_LABEL] ?? "")),
    ]);
  return new Set([...named, ...passing]);
}
