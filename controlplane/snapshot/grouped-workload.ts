import type { Defaulted, GroupMembership, PlacedWorkload, Workload } from "../../mesh/model/workload.ts";
import type { WorkloadGroupSpec } from "../../mesh/model/workload-group.ts";

/**
 * As Istio registers a workload of a group: its own labels over the group's over the template's; network, locality,
 * weight and service account of the template where it says none of its own. The template's address means nothing.
 */
export function withGroup<W extends Workload>(
  workload: W,
  { name, defaulted }: Pick<GroupMembership, "name" | "defaulted">,
  said: WorkloadGroupSpec,
): W {
  const { template } = said;
  const { serviceAccount, labels, weight, locality, network } = workload;
  const isDefault = (field: Defaulted): boolean => defaulted.includes(field);
  const { app: _, ...withoutApp } = labels;
  const merged = {
    ...labels,
    ...template.labels,
    ...said.labels,
    ...(isDefault("app") ? withoutApp : labels),
  };
  return {
    ...workload,
    serviceAccount: (isDefault("serviceAccount") && template.serviceAccount) || serviceAccount,
    labels: Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1))),
    weight: isDefault("weight") ? template.weight : weight,
    locality: locality || template.locality,
    network: network || template.network,
    group: { name, defaulted, applied: { said, own: { serviceAccount, labels, weight, locality, network } } },
  };
}

/**
 * A placed workload as it would be with these groups, by `namespace/name`, were its agent allowed to have it so. Without
 * its group it stays.
 */
export function regrouped(
  workload: PlacedWorkload,
  groups: ReadonlyMap<string, WorkloadGroupSpec>,
): PlacedWorkload {
  const { group, namespace } = workload;
  const said = group && groups.get(`${namespace}/${group.name}`);
  if (group?.applied === undefined || said === undefined) return workload;
  return withGroup({ ...workload, ...group.applied.own }, group, said);
}
