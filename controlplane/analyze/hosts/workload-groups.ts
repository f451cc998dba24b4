import type { PlacedWorkload } from "../../../mesh/model/workload.ts";
import { type Finding, nameOf } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Probes of a port that the group's workloads do not register. */
export function* probePorts(mesh: MeshFacts): Iterable<Finding> {
  const members = Map.groupBy(mesh.workloads, groupOf);
  for (const subject of mesh.list("WorkloadGroup")) {
    const { probe, template } = subject.spec;
    if (probe === undefined || probe.check.kind === "exec") continue;
    // At a host that it names, a probe asks whom it likes.
    if ("host" in probe.check && probe.check.host !== "") continue;
    const { port } = probe.check;
    const field = { http: "httpGet", tcp: "tcpSocket", grpc: "grpc" }[probe.check.kind];
    const told = (message: string): Finding => ({
      code: "LAT0006",
      subject,
      path: ["spec", "probe", field, "port"],
      message: `the probe asks port ${port}, and ${message}`,
    });
    const numbers = Object.values(template.ports);
    if (numbers.length > 0 && !numbers.includes(port)) yield told(`the template has ${numbers.join(", ")}`);
    const without = (members.get(nameOf(subject)) ?? []).find((workload) => !registers(workload, port));
    if (without === undefined || numbers.includes(port)) continue;
    const its = without.ports.map(({ servicePort }) => servicePort).join(", ") || "none";
    yield told(`${without.namespace}/${without.name} registers ${its}`);
  }
}

function registers({ ports }: PlacedWorkload, port: number): boolean {
  return ports.some(({ app, servicePort }) => app.port === port || servicePort === port);
}

/** Workloads that name a group which is not there. One that never was is refused, and so is none here. */
export function* missingGroups(mesh: MeshFacts): Iterable<Finding> {
  const groups = new Set(mesh.list("WorkloadGroup").map(nameOf));
  for (const workload of mesh.workloads) {
    const name = groupOf(workload);
    if (name === undefined || groups.has(name)) continue;
    const { namespace } = workload;
    yield {
      code: "IST0101",
      subject: { kind: "Workload", metadata: { namespace, name: workload.name } },
      path: [],
      message: `there is no WorkloadGroup ${name}: what it said last stays in force`,
    };
  }
}

/** `namespace/name` of a workload's group. */
function groupOf({ namespace, group }: PlacedWorkload): string | undefined {
  return group && `${namespace}/${group.name}`;
}
