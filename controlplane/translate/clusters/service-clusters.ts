import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { meshServerName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { rulesKey } from "../../policy/destination-rules.ts";
import { assignmentFor } from "../endpoints/service-assignments.ts";
import type { Scope } from "../memo.ts";
import { resource } from "../resource.ts";
import { type ClusterPlan, clusterPlans } from "./cluster-plans.ts";
import { type Discovery, embedsEndpoints } from "./discovery.ts";
import type { TlsCaller } from "./originated-tls.ts";
import { type ClusterOf, outboundCluster } from "./outbound-cluster.ts";

/**
 * The clusters of a service for one client. Each is an entry of the memo under all that it depends on of the client, so
 * that clients for which it is the same share it.
 */
export function clustersOf(scope: Scope, client: Client, hostname: string): readonly EncodedResource[] {
  return clusterPlans(scope.view, client, hostname).map((plan) =>
    shared(scope, plan, {
      caller: callerOf(plan, client),
      ...clusterPart(scope, plan, client),
      forwardsOnly: false,
      findsOut: client.role === "sidecar" && plan.protocol === "auto",
    }),
  );
}

/**
 * The same under the names that servers are told by SNI (`outbound_.9080_._.reviews…`), for a gateway that leads mesh
 * TLS on as it is. What is outside the mesh is not led to.
 */
export function sniDnatClustersOf(
  scope: Scope,
  client: Client,
  hostname: string,
): readonly EncodedResource[] {
  return clusterPlans(scope.view, client, hostname, meshServerName)
    .filter(({ service }) => !service.external)
    .map((plan) =>
      shared(scope, plan, {
        caller: undefined,
        ...clusterPart(scope, plan, client),
        forwardsOnly: true,
        findsOut: false,
      }),
    );
}

type ClientPart = Pick<ClusterOf, "discovery" | "caller" | "forwardsOnly" | "findsOut">;

function shared(scope: Scope, plan: ClusterPlan, part: ClientPart): EncodedResource {
  const { name, service, port, subset, rules } = plan;
  const of: ClusterOf = {
    name,
    hostname: service.hostname,
    service: service.key,
    port,
    subset,
    rules,
    ...part,
  };
  const key = `cluster/${service.key}/${name}@${rulesKey(rules)}${JSON.stringify(part)}`;
  return resource(scope, key, Cluster, (inner) => outboundCluster(inner, of));
}

function clusterPart(scope: Scope, plan: ClusterPlan, client: Client): { readonly discovery: Discovery } {
  const { discovery: kind } = plan;
  return embedsEndpoints(kind)
    ? { discovery: { kind, endpoints: assignmentFor(scope, plan, client) } }
    : { discovery: { kind } };
}

function callerOf({ policy, selecting }: ClusterPlan, client: Client): TlsCaller | undefined {
  const { tls } = policy;
  if (tls?.mode !== "SIMPLE" && tls?.mode !== "MUTUAL") return undefined;
  return {
    namesHosts: client.role === "gateway" || client.captured,
    hasSecrets: tls.credentialName !== "" && (client.role === "gateway" || selecting),
  };
}
