import { describeSpiffeId, type SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { WorkloadSvids } from "../identity/workload-svids.ts";
import type { Caller } from "./caller.ts";
import { type CallerRule, chooseIdentities, type LocalIdentity } from "./choose-identities.ts";

/** What a caller has at this moment. */
export type CallerSvids =
  | { readonly kind: "held"; readonly svids: readonly X509Svid[] }
  /** It may have an identity, of which there is no valid certificate now. */
  | { readonly kind: "waiting" }
  | { readonly kind: "refused" };

interface Identity extends LocalIdentity {
  readonly spiffeId: SpiffeId;
  readonly svid: X509Svid | undefined;
}

/** Judges by the workloads that are on this host now; several instances of one identity are one. */
export function callerSvids(
  caller: Caller | undefined,
  rules: readonly CallerRule[],
  held: Pick<WorkloadSvids, "ids" | "status" | "current">,
  now: number,
): CallerSvids {
  const chosen = chooseIdentities(caller, rules, identitiesOf(held, now));
  if (chosen.length === 0) return { kind: "refused" };
  const svids = chosen.flatMap(({ svid }) => svid ?? []);
  return svids.length === 0 ? { kind: "waiting" } : { kind: "held", svids };
}

/** Those that a caller may have, whether there is a certificate of them or not. */
export function callerIdentities(
  caller: Caller | undefined,
  rules: readonly CallerRule[],
  held: Pick<WorkloadSvids, "ids" | "status" | "current">,
  now: number,
): readonly SpiffeId[] {
  return chooseIdentities(caller, rules, identitiesOf(held, now)).map(({ spiffeId }) => spiffeId);
}

function identitiesOf(
  held: Pick<WorkloadSvids, "ids" | "status" | "current">,
  now: number,
): readonly Identity[] {
  const found = new Map<SpiffeId, Identity>();
  for (const id of held.ids()) {
    const spiffeId = held.status(id)?.spiffeId;
    const subject = spiffeId === undefined ? undefined : describeSpiffeId(spiffeId);
    if (spiffeId === undefined || subject?.kind !== "workload") continue;
    const current = held.current(id);
    const svid = current !== undefined && current.notAfterMs > now ? current : found.get(spiffeId)?.svid;
    found.set(spiffeId, {
      spiffeId,
      namespace: subject.namespace,
      serviceAccount: subject.serviceAccount,
      svid,
    });
  }
  return [...found.values()].sort((a, b) => (a.spiffeId < b.spiffeId ? -1 : 1));
}
