import type { Caller } from "./caller.ts";

/** Which callers may have an identity: all that is said must be so of the caller. */
export interface CallerRule {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly uid?: number | undefined;
  readonly unit?: string | undefined;
}

/** An identity that is placed on this host now. */
export interface LocalIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * The identities of this host that a caller may have. Rules decide; an identity that no rule is about is anybody's who
 * reaches the socket only when it is the one identity of the host, as then there is nothing to tell apart. Empty: none.
 */
export function chooseIdentities<T extends LocalIdentity>(
  caller: Caller | undefined,
  rules: readonly CallerRule[],
  here: readonly T[],
): readonly T[] {
  const about = (one: T): readonly CallerRule[] =>
    rules.filter((rule) => rule.namespace === one.namespace && rule.serviceAccount === one.serviceAccount);
  const chosen = here.filter((one) => about(one).some((rule) => fits(caller, rule)));
  if (chosen.length > 0) return chosen;
  const [only, ...more] = here;
  return only !== undefined && more.length === 0 && about(only).length === 0 ? [only] : [];
}

function fits(caller: Caller | undefined, { uid, unit }: CallerRule): boolean {
  if (caller === undefined || (uid === undefined && unit === undefined)) return false;
  return (uid === undefined || uid === caller.uid) && (unit === undefined || unit === caller.unit);
}
