import { DRY_RUN, isDryRun } from "../../../mesh/model/dry-run.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { type Policy, RBAC, RBAC_Action } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import type { WorkloadPolicies } from "../../policy/authorization.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { byText } from "../../snapshot/text-order.ts";
import { permissions, principals } from "./boolean.ts";
import type { PolicyPort } from "./permission.ts";
import { type RuleContext, translateRule } from "./rule.ts";

type AuthorizationPolicy = StoredObject<"AuthorizationPolicy">;
type RbacPolicy = Pick<Policy, "permissions" | "principals">;

export interface PolicyTarget {
  readonly trustDomain: string;
  readonly port: PolicyPort | undefined;
  readonly http: boolean;
}

/** Keeps an ALLOW filter from being empty: it then allows nothing, and says of whom that is. */
const NEVER: RbacPolicy = { permissions: [permissions.never], principals: [principals.never] };

/**
 * The RBAC rules of a port, in the order in which their filters run: DENY, then ALLOW; none when no policy asks for it.
 *
 * What cannot be enforced makes nothing weaker: an ALLOW rule that has it is dropped, a DENY rule ignores it and denies
 * more. CUSTOM asks an authorizer that is not there yet, so what it is asked about is denied.
 */
export function translatePolicies(
  policies: WorkloadPolicies,
  target: PolicyTarget,
  warn: (warning: PublishWarning) => void,
): readonly RBAC[] {
  const enforced = (list: readonly AuthorizationPolicy[]): readonly AuthorizationPolicy[] =>
    list.filter((policy) => !isNotEnforced(policy, warn));
  for (const policy of policies.AUDIT) {
    warn({ subject: keyOf(policy), message: "AUDIT is not in force yet: nothing is logged" });
  }
  const custom = enforced(policies.CUSTOM);
  for (const policy of custom) {
    warn({
      subject: keyOf(policy),
      message: `CUSTOM is not in force yet: what provider ${policy.spec.provider} would be asked about is denied`,
    });
  }
  const allow = enforced(policies.ALLOW);
  const denied = translated([...custom, ...enforced(policies.DENY)], target, "widen", warn);
  const allowed = translated(allow, target, "drop", warn);
  const filters: RBAC[] = [];
  if (Object.keys(denied).length > 0) {
    filters.push(RBAC.fromPartial({ action: RBAC_Action.DENY, policies: denied }));
  }
  if (allow.length > 0) filters.push(RBAC.fromPartial({ action: RBAC_Action.ALLOW, policies: allowed }));
  return filters;
}

function translated(
  policies: readonly AuthorizationPolicy[],
  target: PolicyTarget,
  strictness: RuleContext["strictness"],
  warn: (warning: PublishWarning) => void,
): Record<string, RbacPolicy> {
  const entries = policies.flatMap((policy): [string, RbacPolicy][] => {
    const { namespace, name } = policy.metadata;
    const rules = policy.spec.rules.flatMap((rule, index): [string, RbacPolicy][] => {
      const result = translateRule(rule, {
        ...target,
        policyNamespace: namespace,
        strictness,
        warn: (path, reason) =>
          warn({
            subject: keyOf(policy),
            message: `spec.rules[${index}].${path}: ${reason}; ${CONSEQUENCE[strictness]}`,
          }),
      });
      return result === undefined ? [] : [[`ns[${namespace}]-policy[${name}]-rule[${index}]`, result]];
    });
    if (rules.length > 0 || strictness === "widen") return rules;
    return [[`ns[${namespace}]-policy[${name}]-rule[0]`, NEVER]];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => byText(a, b)));
}

const CONSEQUENCE = {
  drop: "so it allows nothing",
  widen: "so it is ignored and the rule denies more",
} as const;

function isNotEnforced(policy: AuthorizationPolicy, warn: (warning: PublishWarning) => void): boolean {
  if (!isDryRun(policy.metadata)) return false;
  warn({ subject: keyOf(policy), message: `${DRY_RUN}: the policy is not enforced` });
  return true;
}
