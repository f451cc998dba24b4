/** What policies came to for one request or connection, in the terms in which it is counted and logged. */
export interface PolicyDecision {
  /** `ns[<namespace>]-policy[<name>]-rule[<index>]`; `none`: no policy allowed it. */
  readonly policy: string;
  readonly result: "allowed" | "denied" | "audited";
  /** False: the policy is in dry run, and nothing comes of it. */
  readonly enforced: boolean;
  /** Of a policy that has somebody asked: that one said no, or said nothing. Undefined: its rules decided. */
  readonly authorizer?: "refused" | "silent" | undefined;
}

/** The call that was decided about. */
export interface DecidedCall {
  /** The client's SPIFFE ID; empty: it showed none. */
  readonly client: string;
  /** `address:port`. */
  readonly from: string;
  readonly at: string;
  /** Of a request; empty for a connection. */
  readonly method: string;
  /** Without its query, which may have secrets in it. */
  readonly path: string;
}

/** The metric of decisions, alike in the built-in proxy and, for Envoy, in the agent. */
export const POLICY_DECISIONS = {
  name: "lateen_policy_decisions_total",
  help: "requests and connections that a policy matched, and those that were refused because none did",
  labelNames: ["policy", "result", "enforced"],
} as const;

export function decisionLabels({
  policy,
  result,
  enforced,
}: PolicyDecision): Record<(typeof POLICY_DECISIONS.labelNames)[number], string> {
  return { policy, result, enforced: String(enforced) };
}
