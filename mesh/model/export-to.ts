import type { ParsedObject } from "./object.ts";
import type { Report } from "./schema-rule.ts";

export const OWN_NAMESPACE_ONLY = "must be `.` with a workloadSelector: such a rule is for its own namespace";

/** What `exportTo` must not say about the namespace of its object, which a spec alone does not know. */
export function checkExportTo(spec: ParsedObject["spec"], namespace: string, report: Report): void {
  if (!("exportTo" in spec)) return;
  if (spec.exportTo.includes(".") && spec.exportTo.includes(namespace))
    report(["exportTo"], `names ${namespace} twice: \`.\` is the object's own namespace`);
  const forSomeClients = "subsets" in spec && Object.keys(spec.workloadSelector).length > 0;
  const [only = "."] = spec.exportTo;
  if (forSomeClients && only !== "." && only !== namespace) report(["exportTo"], OWN_NAMESPACE_ONLY);
}
