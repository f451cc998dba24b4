import type { StoredObject } from "../../mesh/model/object.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import type { PublishReport } from "../snapshot/publish-report.ts";
import { keyOf } from "../store/apply-plan.ts";
import type { Finding, Subject } from "./finding.ts";

/**
 * What a translation could not do as the objects say, and the workloads for which there was none. Of an object that other
 * analyzers have found wrong only what is in force in its place: their errors say the rest.
 */
export function* translationFindings(
  { warnings, failures }: PublishReport,
  objects: readonly StoredObject[],
  { services }: Pick<MeshSnapshot, "services">,
  isWrong: (subject: Subject) => boolean,
): Iterable<Finding> {
  const byKey = new Map<string, Subject>(objects.map((object) => [keyOf(object), object]));
  for (const { subject, message, inForce } of warnings) {
    const about = byKey.get(subject) ?? subjectOf(subject, services);
    if (about === undefined || (inForce === undefined && isWrong(about))) continue;
    yield { code: "LAT0013", subject: about, path: [], message };
  }
  for (const { workload, reason, hint } of failures) {
    const about = subjectOf(`Workload/${workload}`, services);
    const message = `keeps its last good configuration: ${reason}${hint === undefined ? "" : ` (${hint})`}`;
    if (about !== undefined) yield { code: "LAT0014", subject: about, path: [], message };
  }
}

/** Of `Workload/namespace/name` or `Service/host`; undefined for what is gone by now. */
function subjectOf(text: string, services: MeshSnapshot["services"]): Subject | undefined {
  const [kind = "", first = "", second = ""] = text.split("/");
  if (kind === "Workload") return { kind, metadata: { namespace: first, name: second } };
  const service = kind === "Service" ? services.get(first)?.[0] : undefined;
  return service && { kind, metadata: { namespace: service.namespace, name: service.name } };
}
