import type { DecidingObject, ExplainStep } from "../../mesh/admin-api/replies.ts";
import { step } from "./explain-step.ts";
import type { PolicyStep } from "./verdict.ts";

/** What the guards of a listener say about a call, in the order in which they are asked. */
export function policySteps(policies: readonly PolicyStep[]): readonly ExplainStep[] {
  return policies.map((policy) => {
    if (policy.kind === "authentication") {
      return step("policy", "RequestAuthentication", policy.told);
    }
    if (policy.kind === "question") {
      return step("policy", "CUSTOM", `${policy.cluster} is asked, and decides`, policyNamed(policy.policy));
    }
    const { action, shadow, allowed, policy: matched, undecided } = policy;
    const name = shadow ? `${ACTION_WORDS[action]} (dry run)` : ACTION_WORDS[action];
    if (undecided.length > 0) return step("policy", name, HIDDEN, policyNamed(undecided[0] ?? ""));
    return step("policy", name, reasonOf(allowed, shadow, matched), matched ? policyNamed(matched) : null);
  });
}

const HIDDEN = "a rule may match: it asks for what is not known of the call";

const ACTION_WORDS = { ALLOW: "ALLOW", DENY: "DENY", LOG: "AUDIT" } as const;

function reasonOf(allowed: boolean, shadow: boolean, matched: string | undefined): string {
  if (matched === undefined) return allowed ? "no rule matches" : `no rule matches: ${consequence(shadow)}`;
  return allowed ? "a rule matches" : `a rule matches: ${consequence(shadow)}`;
}

function consequence(shadow: boolean): string {
  return shadow ? "would be refused" : "refused";
}

/** The AuthorizationPolicy behind the name of an RBAC policy: `ns[default]-policy[reviews]-rule[0]`. */
export function policyNamed(name: string): DecidingObject | null {
  const [, namespace, policy, rule] = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]$/.exec(name) ?? [];
  if (namespace === undefined || policy === undefined) return null;
  return { kind: "AuthorizationPolicy", namespace, name: policy, rule: `rules[${rule}]` };
}
