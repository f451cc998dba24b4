import { hostMatches } from "../../mesh/model/hosts.ts";
import type { Finding } from "./finding.ts";
import { type MeshFacts, selectorText } from "./mesh-facts.ts";
import { overlaps } from "./overlaps.ts";

/** Sidecars of a namespace that mean the same workloads, or none. */
export function* sidecars(mesh: MeshFacts): Iterable<Finding> {
  const selectorPath = ["spec", "workloadSelector"];
  for (const subject of mesh.list("Sidecar")) {
    const { workloadSelector } = subject.spec;
    if (workloadSelector === undefined) continue;
    if (mesh.selected(workloadSelector, subject.metadata.namespace).length > 0) continue;
    const message = `no workload of the namespace has the labels ${selectorText(workloadSelector)}`;
    yield { code: "IST0101", subject, path: selectorPath, message };
  }
  yield* overlaps(mesh, {
    kind: "Sidecar",
    selectorOf: ({ spec }) => spec.workloadSelector,
    selectorPath,
    selecting: "IST0110",
    general: "IST0111",
  });
}

/** Hosts that a Sidecar imports and that nobody offers. */
export function* sidecarImports(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("Sidecar")) {
    for (const [index, { hosts }] of subject.spec.egress.entries()) {
      for (const [position, { namespace, host, excluded }] of hosts.entries()) {
        if (excluded || namespace === "~" || host === "*") continue;
        const from = namespace === "." ? subject.metadata.namespace : namespace;
        const found = mesh
          .servicesOf(host, subject.metadata.namespace)
          .some((service) => from === "*" || service.namespace === from);
        if (found || routed(mesh, from, host)) continue;
        const message = `${namespace}/${host} imports nothing: there is no such service, nor a VirtualService for it`;
        yield { code: "LAT0012", subject, path: ["spec", "egress", index, "hosts", position], message };
      }
    }
  }
}

/** A proxy for unknown hosts that is not there: calls to them would fail. */
export function* sidecarEgressProxies(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("Sidecar")) {
    const { host, port } = subject.spec.outboundTrafficPolicy?.egressProxy ?? {};
    if (host === undefined) continue;
    const path = ["spec", "outboundTrafficPolicy", "egressProxy"];
    const service = mesh.findService(host, subject.metadata.namespace);
    if (service === undefined) {
      const message = `${host} is no service of the mesh, so calls to unknown hosts fail`;
      yield { code: "IST0101", subject, path: [...path, "host"], message };
    } else if (!service.ports.some(({ number }) => number === port)) {
      const message = `${host} has no port ${port}, so calls to unknown hosts fail`;
      yield { code: "IST0101", subject, path: [...path, "port", "number"], message };
    }
  }
}

/** VirtualServices are imported by themselves, also those for hosts that no registry knows. */
function routed(mesh: MeshFacts, namespace: string, host: string): boolean {
  return mesh
    .list("VirtualService")
    .filter(({ metadata }) => namespace === "*" || metadata.namespace === namespace)
    .some(({ spec }) => spec.hosts.some((one) => hostMatches(host, one) || hostMatches(one, host)));
}
