import { isIP } from "node:net";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { targetPortOf } from "../../offline/workloads-from-entries.ts";
import { type Finding, nameOf } from "../finding.ts";
import { type MeshFacts, selectorText } from "../mesh-facts.ts";

/** Endpoints with an IP address in a service whose endpoints are looked up by name. */
export function* dnsAddresses(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("ServiceEntry")) {
    const { resolution, endpoints } = subject.spec;
    if (resolution !== "DNS" && resolution !== "DNS_ROUND_ROBIN") continue;
    for (const [index, { address }] of endpoints.entries()) {
      if (isIP(address) === 0) continue;
      const path = ["spec", "endpoints", index, "address"];
      const message = `${address} needs no DNS: with resolution ${resolution} an endpoint is a host name`;
      yield { code: "LAT0005", subject, path, message };
    }
  }
}

/** Ports of a WorkloadEntry that no service which has it as an endpoint leads to. */
export function* entryPorts(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("WorkloadEntry")) {
    const services = mesh.serviceEntriesOf(subject);
    if (services.length === 0) continue;
    const names = new Set(services.flatMap(({ spec }) => spec.ports.map(({ name }) => name)));
    const targets = new Set(
      services.flatMap(({ spec }) => spec.ports.map((port) => targetPortOf(subject.spec, port))),
    );
    for (const [name, number] of Object.entries(subject.spec.ports)) {
      if (names.has(name) || targets.has(number)) continue;
      const message = `port ${name} (${number}) is in no service that has this workload: ${services.map(nameOf).join(", ")}`;
      yield { code: "LAT0007", subject, path: ["spec", "ports", name], message };
    }
  }
}

/** Services whose selector finds no workload. */
export function* emptyServices(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("ServiceEntry")) {
    const selector = subject.spec.workloadSelector;
    if (selector === undefined) continue;
    const { namespace } = subject.metadata;
    const services = subject.spec.hosts.flatMap((host) => mesh.services(host.toLowerCase()));
    const own = services.filter((service) => service.namespace === namespace);
    if (own.some((service) => mesh.endpoints(service).length > 0)) continue;
    const message = `no workload of namespace ${namespace} has the labels ${selectorText(selector)}: the service has no endpoint`;
    yield { code: "LAT0010", subject, path: ["spec", "workloadSelector"], message };
  }
}

/** Services that lead to one port of a workload under different port numbers: its proxy tells them apart by the port. */
export function* conflictingTargets(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("WorkloadEntry")) {
    const services = mesh.serviceEntriesOf(subject);
    const leading = services.flatMap((service) =>
      service.spec.ports.map((port) => ({
        service,
        number: port.number,
        target: targetPortOf(subject.spec, port),
      })),
    );
    for (const [target, ways] of Map.groupBy(leading, (way) => way.target)) {
      if (
        new Set(ways.map(({ service }) => service)).size < 2 ||
        new Set(ways.map(({ number }) => number)).size < 2
      ) {
        continue;
      }
      const names = ways
        .map(({ service, number }) => `${nameOf(service as StoredObject)}:${number}`)
        .join(", ");
      const message = `${names} lead to its port ${target} under different numbers: use one`;
      yield { code: "IST0137", subject, path: [], message };
    }
  }
}
