import type { StoredObject } from "../../mesh/model/object.ts";
import { isFields } from "../../mesh/model/plain-data.ts";
import { isNameless } from "../../mesh/model/protocols.ts";
import { audience, seenTogether } from "../policy/export-to.ts";
import { entryServiceKey } from "../snapshot/join-service-entry.ts";
import { type Finding, nameOf } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

type ServiceEntry = StoredObject<"ServiceEntry">;

/** ServiceEntries of one host that disagree on what is spoken at a port. */
export function* serviceEntryProtocols(mesh: MeshFacts): Iterable<Finding> {
  for (const [host, claimants] of byHost(mesh)) {
    for (const subject of claimants) {
      for (const [index, { number, protocol }] of subject.spec.ports.entries()) {
        const others = claimants.filter(
          (one) =>
            one !== subject &&
            seenTogether(audienceOf(one, mesh), audienceOf(subject, mesh)) &&
            one.spec.ports.some((port) => port.number === number && port.protocol !== protocol),
        );
        if (others.length === 0) continue;
        const names = others.map(nameOf).join(", ");
        const message = `port ${number} of ${host} is ${protocol} here and something else in ${names}`;
        yield { code: "IST0177", subject, path: ["spec", "ports", index, "protocol"], message };
      }
    }
  }
}

/** ServiceEntries for a host of which all who may see them have another: nearer, or older. */
export function* serviceEntryHosts(mesh: MeshFacts): Iterable<Finding> {
  for (const [host, claimants] of byHost(mesh)) {
    for (const subject of claimants) {
      const key = entryServiceKey(subject, host);
      const had = clientsOf(subject, mesh).map((namespace) => mesh.serviceFor(host, namespace));
      const [instead] = had;
      if (instead === undefined || had.some((service) => service?.key === key)) continue;
      const first = claimants.find((one) => entryServiceKey(one, host) === instead.key);
      const what = first === undefined ? `a service of ${instead.source}` : `ServiceEntry ${nameOf(first)}`;
      const message = `${host} is described by ${what}, which comes first: this one does nothing for it`;
      yield { code: "LAT0011", subject, path: ["spec", "hosts"], message };
    }
  }
}

/** Namespaces that may see a ServiceEntry; an empty name stands for those in which there is nothing. */
function clientsOf(subject: ServiceEntry, mesh: MeshFacts): readonly string[] {
  const seeing = audienceOf(subject, mesh);
  return seeing.has("*") ? [...mesh.namespaces, ""] : [...seeing];
}

/** TCP ports that share one listener, because their service gets no address of its own. */
export function* serviceEntryAddresses(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("ServiceEntry")) {
    const { addresses, hosts, ports, resolution } = subject.spec;
    const allocated = resolution !== "NONE" && hosts.some((host) => !host.startsWith("*"));
    const port = ports.findIndex(({ protocol }) => isNameless(protocol));
    if (addresses.length > 0 || allocated || port === -1) continue;
    const why = resolution === "NONE" ? "resolution NONE" : "wildcard hosts";
    const message = `a TCP port needs addresses here: with ${why} none is allocated, and the port takes every service's calls`;
    yield { code: "IST0134", subject, path: ["spec", "ports", port], message };
  }
}

/** Ports for which nobody says what they speak: the name of a ServiceEntry's port does not, in Istio neither. */
export function* serviceEntryPortNames(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("ServiceEntry")) {
    for (const [index, { name, number, protocol }] of subject.spec.ports.entries()) {
      if (saysProtocol(subject, index)) continue;
      const then = protocol === "auto" ? "it is found out from the first bytes" : "it is taken as TCP";
      const message = `port ${name} (${number}) has no protocol: ${then}, whatever its name says`;
      yield { code: "IST0118", subject, path: ["spec", "ports", index, "name"], message };
    }
  }
}

function audienceOf({ spec, metadata }: ServiceEntry, { settings }: MeshFacts): ReadonlySet<string> {
  const said = spec.exportTo.length > 0 ? spec.exportTo : settings.mesh.defaultServiceExportTo;
  return audience(said, metadata.namespace);
}

function saysProtocol({ written }: ServiceEntry, index: number): boolean {
  const spec = written["spec"];
  const ports = isFields(spec) ? spec["ports"] : undefined;
  const port: unknown = Array.isArray(ports) ? ports[index] : undefined;
  return isFields(port) && typeof port["protocol"] === "string" && port["protocol"] !== "";
}

function byHost(mesh: MeshFacts): ReadonlyMap<string, readonly ServiceEntry[]> {
  const claims = new Map<string, ServiceEntry[]>();
  for (const entry of mesh.list("ServiceEntry")) {
    for (const host of new Set(entry.spec.hosts.map((one) => one.toLowerCase()))) {
      claims.set(host, [...(claims.get(host) ?? []), entry]);
    }
  }
  return claims;
}
