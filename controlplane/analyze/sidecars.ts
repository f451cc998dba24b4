import { hostMatches } from "../../mesh/model/hosts.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import { type Finding, nameOf } from "./finding.ts";
import { type MeshFacts, selectorText } from "./mesh-facts.ts";

type Sidecar = StoredObject<"Sidecar">;

/** Sidecars of a namespace that mean the same workloads, or none. */
export function* sidecars(mesh: MeshFacts): Iterable<Finding> {
  const byNamespace = Map.groupBy(mesh.list("Sidecar"), ({ metadata }) => metadata.namespace);
  for (const [namespace, list] of byNamespace) {
    const general = list.filter(({ spec }) => spec.workloadSelector === undefined);
    if (general.length > 1) {
      const names = general.map(nameOf).join(", ");
      for (const subject of general) {
        const message = `${names} are all for the whole namespace ${namespace}: only the oldest counts`;
        yield { code: "IST0111", subject, path: ["metadata", "name"], message };
      }
    }
    yield* selecting(
      mesh,
      list.filter(({ spec }) => spec.workloadSelector !== undefined),
    );
  }
}

function* selecting(mesh: MeshFacts, list: readonly Sidecar[]): Iterable<Finding> {
  const claims = new Map<string, Sidecar[]>();
  for (const subject of list) {
    const selector = subject.spec.workloadSelector ?? {};
    const workloads = mesh.selected(selector, subject.metadata.namespace);
    if (workloads.length === 0) {
      const message = `no workload of the namespace has the labels ${selectorText(selector)}`;
      yield { code: "IST0101", subject, path: ["spec", "workloadSelector"], message };
    }
    for (const id of workloads.map(workloadId)) claims.set(id, [...(claims.get(id) ?? []), subject]);
  }
  for (const [id, claimants] of claims) {
    if (claimants.length < 2) continue;
    const names = claimants.map(nameOf).join(", ");
    for (const subject of claimants) {
      const message = `${names} all select workload ${id}: only the oldest counts`;
      yield { code: "IST0110", subject, path: ["spec", "workloadSelector"], message };
    }
  }
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
