import type { Finding } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";
import { overlaps } from "./overlaps.ts";

/** Telemetries of a namespace that mean the same workloads. */
export function* telemetries(mesh: MeshFacts): Iterable<Finding> {
  yield* overlaps(mesh, {
    kind: "Telemetry",
    selectorOf: ({ spec }) => (Object.keys(spec.selector).length === 0 ? undefined : spec.selector),
    selectorPath: ["spec", "selector"],
    selecting: "IST0159",
    general: "IST0160",
  });
}

/** Logs that a Telemetry changes without a name, where nobody has named any: there is nothing to change. */
export function* telemetryProviders(mesh: MeshFacts): Iterable<Finding> {
  const { accessLog, defaultProviders } = mesh.settings.mesh;
  if (accessLog !== undefined || defaultProviders.accessLogging.length > 0) return;
  const naming = mesh
    .list("Telemetry")
    .filter(({ spec }) => spec.accessLogging.some(({ providers }) => providers.length > 0));
  for (const subject of mesh.list("Telemetry")) {
    const { namespace } = subject.metadata;
    const inherits = naming.some(({ metadata }) =>
      [namespace, mesh.settings.rootNamespace].includes(metadata.namespace),
    );
    if (inherits) continue;
    for (const index of subject.spec.accessLogging.keys()) {
      const message = "names no provider, and there is none to inherit: no call is logged by this";
      yield { code: "IST0157", subject, path: ["spec", "accessLogging", index], message };
    }
  }
}
