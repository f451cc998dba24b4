import type { StoredObject } from "../../mesh/model/object.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

type AuthorizationPolicy = StoredObject<"AuthorizationPolicy">;

/** The AuthorizationPolicies that hold for a workload, by action, oldest first. */
export type WorkloadPolicies = Readonly<
  Record<AuthorizationPolicy["spec"]["action"], readonly AuthorizationPolicy[]>
>;

/** Those of the root namespace and of the workload's own whose selector selects it. All of them count together. */
export function authorizationPoliciesFor(
  view: SnapshotView,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): WorkloadPolicies {
  const namespaces = new Set([view.settings.rootNamespace, workload.namespace]);
  const selected = [...namespaces]
    .flatMap((namespace) => view.authorizationPolicies(namespace))
    .filter(({ spec }) => selects(spec.selector, workload.labels));
  const withAction = (action: AuthorizationPolicy["spec"]["action"]): readonly AuthorizationPolicy[] =>
    selected.filter(({ spec }) => spec.action === action);
  return {
    CUSTOM: withAction("CUSTOM"),
    DENY: withAction("DENY"),
    ALLOW: withAction("ALLOW"),
    AUDIT: withAction("AUDIT"),
  };
}
