import type { Protocol, Service } from "../../../mesh/model/service.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import {
  destinationPolicy,
  findDestinationRules,
  type RuleReference,
} from "../../policy/destination-rules.ts";
import { type PortPolicy, portPolicy } from "../../policy/port-policy.ts";
import { serviceFor } from "../../policy/services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { type DiscoveryKind, discoveryOf } from "./discovery.ts";

/** One cluster that a client has of a service. */
export interface ClusterPlan {
  readonly name: string;
  readonly service: Service;
  readonly port: number;
  readonly protocol: Protocol;
  /** Empty: the whole service. */
  readonly subset: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly rules: RuleReference | undefined;
  /** The rules choose their clients by label. */
  readonly selecting: boolean;
  readonly policy: PortPolicy;
  readonly discovery: DiscoveryKind;
}

type NameOf = (port: number, subset: string, hostname: string) => string;

/** For every port of a service one cluster, and one for each subset that the rules in force define. */
export function clusterPlans(
  view: SnapshotView,
  client: Client,
  hostname: string,
  nameOf: NameOf = outboundClusterName,
): readonly ClusterPlan[] {
  const service = serviceFor(view, hostname, client);
  if (service === undefined) return [];
  const rules = findDestinationRules(view, client, service);
  const policies = destinationPolicy(view, rules);
  const selecting = Object.keys(policies.rule?.spec.workloadSelector ?? {}).length > 0;
  // Where the endpoints are not known, none of them can be chosen.
  const subsets = service.resolution === "dynamic-dns" ? [] : policies.subsets;
  return service.ports.flatMap(({ number, protocol }) =>
    [{ name: "", labels: {} }, ...subsets].map(({ name, labels }) => {
      const policy = portPolicy(policies, name, number, view.settings.mesh.defaultTrafficPolicy);
      return {
        name: nameOf(number, name, hostname),
        service,
        port: number,
        protocol,
        subset: name,
        labels,
        rules,
        selecting,
        policy,
        discovery: discoveryOf(view, service, policy, client),
      };
    }),
  );
}
