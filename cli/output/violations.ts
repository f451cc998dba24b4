import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { CliContext } from "../context.ts";
import { printable } from "./table.ts";

/** `reviews.yaml:14  spec.http[0].route  message`: the first word is what editors and terminals jump to. */
export function tellViolations(context: CliContext, violations: readonly LocatedViolation[]): void {
  for (const violation of violations) {
    const { path, message, severity } = violation;
    const what = path === "" ? printable(message) : `${path}  ${printable(message)}`;
    const warning = severity === "warning" ? " (warning)" : "";
    context.stderr.write(`${printable(placeOf(violation))}  ${what}${warning}\n`);
  }
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
