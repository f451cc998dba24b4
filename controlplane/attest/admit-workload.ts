import type { Workload } from "../../mesh/model/workload.ts";
import type { AgentBinding } from "./agent-binding.ts";

export type Admission = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** What of an agent decides over its workloads. */
export interface AdmittingAgent {
  readonly binding: AgentBinding;
  readonly banned: boolean;
}

/** May this agent have this workload on its host? The answer rests on what is stored about the agent alone. */
export function admitWorkload(
  agent: AdmittingAgent,
  workload: Pick<Workload, "namespace" | "serviceAccount">,
): Admission {
  const { namespace, serviceAccounts } = agent.binding;
  if (agent.banned) return refuse("the agent is banned");
  if (namespace !== undefined && workload.namespace !== namespace) {
    return refuse(`the agent joined for namespace ${namespace} only`);
  }
  if (serviceAccounts !== undefined && !serviceAccounts.includes(workload.serviceAccount)) {
    return refuse(`the agent joined for the service accounts ${serviceAccounts.join(", ")} only`);
  }
  return { ok: true };
}

function refuse(reason: string): Admission {
  return { ok: false, reason };
}
