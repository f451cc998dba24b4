import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { CliContext } from "../context.ts";
import { printable } from "./table.ts";

/** `reviews.yaml:14  spec.http[0].route  message`: the first word is what editors and terminals jump to. */
export function tellViolations(context: CliContext, violations: readonly LocatedViolation[]): void {
  for (const violation of violations) {
    if (violation.severity === "info") continue;
    const { path, message, severity } = violation;
    const what = path === "" ? printable(message) : `${path}  ${printable(message)}`;
    const warning = severity === "warning" ? " (warning)" : "";
    context.stderr.write(`${printable(placeOf(violation))}  ${what}${warning}\n`);
  }
  tellPassedOver(context, violations);
}

/** In one line what was not the mesh's: `passed over 3 objects that are not the mesh's: 2 Deployment, 1 Service`. */
export function tellPassedOver(context: CliContext, violations: readonly LocatedViolation[]): void {
  const counts = new Map<string, number>();
  for (const { kind, severity } of violations) {
    if (severity === "info") counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.size === 0) return;
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const objects = total === 1 ? "1 object that is" : `${total} objects that are`;
  context.stderr.write(`passed over ${objects} not the mesh's: ${printable(kinds.join(", "))}\n`);
}

/** `file:line`, or the object where no file is known. */
export function placeOf({
  file,
  line,
  kind,
  namespace,
  name,
}: Pick<LocatedViolation, "file" | "line" | "kind" | "namespace" | "name">): string {
  if (file !== undefined) return line > 0 ? `${file}:${line}` : file;
  return `${kind} ${namespace}/${name}`;
}
