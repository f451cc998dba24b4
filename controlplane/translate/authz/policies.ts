import { isDryRun } from "../../../mesh/model/dry-run.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { type Policy, RBAC, RBAC_Action } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { AUDIT_RESULTS, DRY_RUN_RESULTS } from "../../../mesh/xds/names.ts";
import type { WorkloadPolicies } from "../../policy/authorization.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { byText } from "../../snapshot/text-order.ts";
import type { RbacFilterRules } from "../filters/security-filters.ts";
import { permissions, principals } from "./boolean.ts";
import { type RuleContext, translateRule } from "./rule.ts";

export type AuthorizationPolicy = StoredObject<"AuthorizationPolicy">;
type RbacPolicy = Pick<Policy, "permissions" | "principals">;

/** Where policies are enforced. */
export type PolicyTarget = Pick<RuleContext, "trustDomains" | "port" | "http">;

type Warn = (warning: PublishWarning) => void;

/** Keeps an ALLOW filter from being empty: it then allows nothing, and says of whom that is. */
const NEVER: RbacPolicy = { permissions: [permissions.never], principals: [principals.never] };

/**
 * The RBAC filters of a port, in the order in which they run: AUDIT, DENY, ALLOW; none when no policy asks for it. A
 * policy with the annotation `istio.io/dry-run` is among the shadow rules of its filter.
 *
 * What cannot be enforced makes nothing weaker: an ALLOW rule that has it is dropped, a DENY rule ignores it and denies
 * more. The CUSTOM policies among them are those whose authorizer cannot be asked: what it is asked about is denied.
 */
export function translatePolicies(
  policies: WorkloadPolicies,
  target: PolicyTarget,
  warn: Warn,
): readonly RbacFilterRules[] {
  const filter = (
    action: RBAC_Action,
    list: readonly AuthorizationPolicy[],
    prefixes: Partial<Pick<RbacFilterRules, "prefix" | "shadowPrefix">>,
  ): readonly RbacFilterRules[] => {
    const { strictness, whenEmpty } = MANNERS[action] ?? MANNERS[RBAC_Action.DENY];
    const rules = (dry: boolean): RBAC | undefined => {
      const some = list.filter((policy) => isTried(policy) === dry);
      const translated = translateRules(some, target, strictness, warn);
      const none = some.length === 0 || (whenEmpty === "leave-out" && Object.keys(translated).length === 0);
      return none ? undefined : RBAC.fromPartial({ action, policies: translated });
    };
    const names = { prefix: "", shadowPrefix: "", ...prefixes };
    const both = { enforced: rules(false), shadow: rules(true), ...names };
    return both.enforced === undefined && both.shadow === undefined ? [] : [both];
  };
  return [
    ...filter(RBAC_Action.LOG, policies.AUDIT, { prefix: AUDIT_RESULTS }),
    ...filter(RBAC_Action.DENY, [...policies.CUSTOM, ...policies.DENY], {
      shadowPrefix: DRY_RUN_RESULTS.DENY,
    }),
    ...filter(RBAC_Action.ALLOW, policies.ALLOW, { shadowPrefix: DRY_RUN_RESULTS.ALLOW }),
  ];
}

/** What becomes of a rule that cannot be enforced, and of a set without rules. */
const MANNERS: Record<number, Manner> & { readonly [RBAC_Action.DENY]: Manner } = {
  [RBAC_Action.ALLOW]: { strictness: "drop", whenEmpty: "keep" },
  [RBAC_Action.DENY]: { strictness: "widen", whenEmpty: "leave-out" },
  [RBAC_Action.LOG]: { strictness: "widen", whenEmpty: "leave-out" },
};

interface Manner {
  readonly strictness: RuleContext["strictness"];
  readonly whenEmpty: "keep" | "leave-out";
}

/** The rules of policies by the name that tells policy and rule, sorted. `prefix` goes before each name. */
export function translateRules(
  policies: readonly AuthorizationPolicy[],
  target: PolicyTarget,
  strictness: RuleContext["strictness"],
  warn: Warn,
  prefix = "",
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
      return result === undefined
        ? []
        : [[`${prefix}ns[${namespace}]-policy[${name}]-rule[${index}]`, result]];
    });
    if (rules.length > 0 || strictness === "widen") return rules;
    return [[`${prefix}ns[${namespace}]-policy[${name}]-rule[0]`, NEVER]];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => byText(a, b)));
}

const CONSEQUENCE = {
  drop: "so it allows nothing",
  widen: "so it is ignored and the rule matches more",
} as const;

/** Istio knows it for ALLOW and DENY only. */
function isTried({ metadata, spec }: AuthorizationPolicy): boolean {
  return (spec.action === "ALLOW" || spec.action === "DENY") && isDryRun(metadata);
}
