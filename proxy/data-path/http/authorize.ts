import type { RbacFilter } from "../../model/rbac.ts";
import { compileRbac, type RbacVerdict } from "../../tables/rbac.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import type { Exchange } from "./exchange.ts";
import type { LocalReply } from "./local-reply.ts";

/** Envoy's name for what this filter leaves behind. */
const RBAC_METADATA = "envoy.filters.http.rbac";

/** A refusal, or undefined: the request goes on. */
export type Authorizer = (exchange: Exchange, accepted: AcceptedRequest) => LocalReply | undefined;

/** Judges requests by policies. The caller learns that it is refused, the operator by which policy. */
export function compileAuthorizer(filter: RbacFilter): Authorizer {
  const judge = compileRbac(filter);
  // Other shadows tell the filters behind whether somebody is to be asked.
  const isTrial = filter.shadowPrefix.startsWith("istio_dry_run_");
  return (exchange, { facts }) => {
    const { connection, deps } = exchange;
    const { enforced, shadow } = judge({ connection: connection.facts, request: facts });
    const tell = (verdict: RbacVerdict, isShadow: boolean): void =>
      deps.observer.policyMatched({
        ...verdict,
        shadow: isShadow,
        ends: connection.ends,
        method: facts.method,
        path: facts.path,
      });
    if (shadow) {
      if (isTrial) tell(shadow, true);
      facts.metadata.add(RBAC_METADATA, shadowFields(filter.shadowPrefix, shadow));
    }
    if (enforced === undefined) return undefined;
    tell(enforced, false);
    if (enforced.allowed) return undefined;
    return {
      status: 403,
      body: "RBAC: access denied",
      details: `rbac_access_denied_matched_policy[${enforced.policy}]`,
    };
  };
}

function shadowFields(prefix: string, { allowed, matched, policy }: RbacVerdict): Record<string, string> {
  return {
    [`${prefix}shadow_engine_result`]: allowed ? "allowed" : "denied",
    ...(matched ? { [`${prefix}shadow_effective_policy_id`]: policy } : {}),
  };
}
