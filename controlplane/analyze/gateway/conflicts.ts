import type { GatewayHost, GatewayServer, ServerTls } from "../../../mesh/model/gateway.ts";
import { hostMatches } from "../../../mesh/model/hosts.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { selects } from "../../snapshot/labels.ts";
import { type Finding, nameOf } from "../finding.ts";
import { type MeshFacts, selectorText } from "../mesh-facts.ts";

type Gateway = StoredObject<"Gateway">;

/** Gateways that claim the same hosts at the same port of the same workloads. */
export function* gatewayConflicts(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("Gateway")) {
    const others = othersThan(mesh, subject).filter((other) => shareWorkloads(mesh, subject, other));
    for (const [index, server] of subject.spec.servers.entries()) {
      const rivals = others.filter((other) =>
        other.spec.servers.some((one) => claimsSame(server, subject, one, other)),
      );
      if (rivals.length === 0) continue;
      const names = rivals.map(nameOf).join(", ");
      const hosts = server.hosts.map(({ host }) => host).join(", ");
      const message = `${names} claims ${hosts} at port ${server.port.number} of ${workloads(subject)} too`;
      yield { code: "IST0145", subject, path: ["spec", "servers", index], message };
    }
  }
}

/** Gateways with one certificate: a client that keeps a connection for another host of it is sent to the wrong one. */
export function* gatewayCertificates(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("Gateway")) {
    const rivals = othersThan(mesh, subject)
      .filter(({ spec }) => selects(subject.spec.selector, spec.selector))
      .filter(({ spec }) =>
        spec.servers.some(({ tls }) =>
          subject.spec.servers.some(
            (server) => tls !== undefined && server.tls !== undefined && sameCertificate(server.tls, tls),
          ),
        ),
      );
    if (rivals.length === 0) continue;
    const names = rivals.map(nameOf).join(", ");
    const message = `${names} has the same certificate: clients that share an HTTP/2 connection between hosts may get 404`;
    yield { code: "IST0138", subject, path: ["metadata", "name"], message };
  }
}

function othersThan(mesh: MeshFacts, subject: Gateway): readonly Gateway[] {
  return mesh.list("Gateway").filter((one) => one !== subject);
}

/** One selects what the other does, or there is a workload that both select. */
function shareWorkloads(mesh: MeshFacts, { spec: a }: Gateway, { spec: b }: Gateway): boolean {
  if (selects(a.selector, b.selector) || selects(b.selector, a.selector)) return true;
  return mesh.gatewayWorkloads(a.selector).some(({ labels }) => selects(b.selector, labels));
}

function workloads({ spec }: Gateway): string {
  return Object.keys(spec.selector).length === 0 ? "all gateways" : selectorText(spec.selector);
}

function claimsSame(server: GatewayServer, of: Gateway, other: GatewayServer, ofOther: Gateway): boolean {
  return (
    server.port.number === other.port.number &&
    (server.bind === other.bind || server.bind === "" || other.bind === "") &&
    server.hosts.some((host) =>
      other.hosts.some((rival) => overlap(host, of.metadata.namespace, rival, ofOther.metadata.namespace)),
    )
  );
}

function overlap(a: GatewayHost, ofA: string, b: GatewayHost, ofB: string): boolean {
  const [from, to] = [a.namespace === "." ? ofA : a.namespace, b.namespace === "." ? ofB : b.namespace];
  if (from !== to && from !== "*" && to !== "*") return false;
  return hostMatches(a.host, b.host) || hostMatches(b.host, a.host);
}

function sameCertificate(a: ServerTls, b: ServerTls): boolean {
  if (a.credentialNames.some((name) => b.credentialNames.includes(name))) return true;
  return a.certificates.some(({ serverCertificate, privateKey }) =>
    b.certificates.some(
      (one) => one.serverCertificate === serverCertificate && one.privateKey === privateKey,
    ),
  );
}
