import { type Client, clientOf } from "../../policy/client.ts";
import { gatewaysFor, type MergedGateways, mergeGateways } from "../../policy/gateways.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import type { Scope } from "../memo.ts";

/** Gateway workloads that are the same in all but their names: they share everything that Gateways give them. */
export interface GatewayClass {
  /** Equal for equal classes. */
  readonly key: string;
  readonly client: Client;
  readonly labels: Readonly<Record<string, string>>;
  readonly reportsCalls: boolean;
}

export function gatewayClass({ view }: Scope, workload: WorkloadConfig): GatewayClass {
  const { namespace, labels, locality, network, reportsCalls } = workload;
  return {
    key: JSON.stringify([namespace, labels, locality, network, reportsCalls]),
    client: clientOf(view, workload),
    labels,
    reportsCalls,
  };
}

/** The servers that a class of gateways has, as an entry of the memo. */
export function mergedGateways(scope: Scope, of: GatewayClass): MergedGateways {
  return scope.get(`gateways/${of.key}`, ({ view, warn }) => {
    const merged = mergeGateways(gatewaysFor(view, of));
    for (const warning of merged.conflicts) warn(warning);
    return merged;
  });
}
