import type { ObjectKey } from "../../mesh/model/object.ts";
import type { JwtRule } from "../../mesh/model/request-authentication.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { by } from "../snapshot/text-order.ts";

export interface WorkloadJwtRule {
  /** The RequestAuthentication that has it. */
  readonly subject: ObjectKey;
  readonly rule: JwtRule;
}

/**
 * How a workload recognises the tokens of its callers: the rules of all RequestAuthentications of the root namespace and
 * of its own whose selector selects it, together, sorted by issuer (oldest first where issuers are equal).
 */
export function jwtRulesFor(
  view: SnapshotView,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): readonly WorkloadJwtRule[] {
  const namespaces = new Set([view.settings.rootNamespace, workload.namespace]);
  return [...namespaces]
    .flatMap((namespace) => view.requestAuthentications(namespace))
    .filter(({ spec }) => selects(spec.selector, workload.labels))
    .flatMap((object) => object.spec.jwtRules.map((rule) => ({ subject: keyOf(object), rule })))
    .sort(by(({ rule }) => rule.issuer));
}
