import { quoted } from "./finding.ts";
import type { Kind, ObjectMeta, ParsedObject } from "./object.ts";
import type { Report } from "./schema-rule.ts";

/** On an AuthorizationPolicy: it is looked at and not enforced. */
const DRY_RUN = "istio.io/dry-run";

/** As Go's ParseBool reads it, which is how Istio does. */
const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

export function isDryRun({ annotations }: Pick<ObjectMeta, "annotations">): boolean {
  return TRUE.test(annotations[DRY_RUN] ?? "");
}

/**
 * Refuses the annotation where it does nothing: its author believes that the object is not in force. Paths are relative
 * to the object.
 */
export function checkDryRun(
  kind: Kind,
  { annotations }: Pick<ObjectMeta, "annotations">,
  spec: ParsedObject["spec"],
  report: Report,
): void {
  const written = annotations[DRY_RUN];
  if (written === undefined) return;
  const refuse = (message: string): void => report(["metadata", "annotations", DRY_RUN], message);
  if (kind !== "AuthorizationPolicy") {
    refuse("is for an AuthorizationPolicy: this object would be in force all the same");
    return;
  }
  if (!TRUE.test(written) && !FALSE.test(written)) refuse(`must be true or false, not ${quoted(written)}`);
  const action = "action" in spec ? spec.action : "ALLOW";
  if (action !== "ALLOW" && action !== "DENY") refuse(`is for ALLOW and DENY, not for ${action}`);
}
