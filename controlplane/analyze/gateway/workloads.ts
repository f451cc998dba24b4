import type { StoredObject } from "../../../mesh/model/object.ts";
import { selects } from "../../snapshot/labels.ts";
import type { Finding } from "../finding.ts";
import { type MeshFacts, selectorText } from "../mesh-facts.ts";

/** Gateways without a workload, and ports that the service in front of the gateway's workloads does not have. */
export function* gatewayWorkloads(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("Gateway")) {
    const { selector, servers } = subject.spec;
    if (Object.keys(selector).length === 0) continue;
    const workloads = mesh.gatewayWorkloads(selector);
    if (workloads.length === 0) {
      const message = `no workload has the labels ${selectorText(selector)}`;
      yield { code: "IST0101", subject, path: ["spec", "selector"], message };
      continue;
    }
    const ports = servedPorts(mesh, workloads);
    if (ports.size === 0) continue;
    for (const [index, { port }] of servers.entries()) {
      if (ports.has(port.number)) continue;
      const message = `no service in front of ${selectorText(selector)} has port ${port.number}`;
      yield { code: "IST0162", subject, path: ["spec", "servers", index, "port", "number"], message };
    }
  }
}

/** Target ports of the ServiceEntries that select these workloads; none when there is no such ServiceEntry. */
function servedPorts(mesh: MeshFacts, workloads: MeshFacts["workloads"]): ReadonlySet<number> {
  const selecting = mesh
    .list("ServiceEntry")
    .filter((entry) => workloads.some((workload) => isSelected(entry, workload)));
  return new Set(
    selecting.flatMap(({ spec }) => spec.ports.map(({ number, targetPort }) => targetPort ?? number)),
  );
}

function isSelected(
  { spec, metadata }: StoredObject<"ServiceEntry">,
  { namespace, labels }: MeshFacts["workloads"][number],
): boolean {
  return (
    spec.workloadSelector !== undefined &&
    metadata.namespace === namespace &&
    selects(spec.workloadSelector, labels)
  );
}
