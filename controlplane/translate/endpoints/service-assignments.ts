import type { ServiceKey } from "../../../mesh/model/service.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { meshServerName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { ANYWHERE, localitySetting, type Placement, placementOf } from "../../policy/locality.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { byText } from "../../snapshot/text-order.ts";
import { type ClusterPlan, clusterPlans } from "../clusters/cluster-plans.ts";
import { embedsEndpoints } from "../clusters/discovery.ts";
import { usesMeshTls } from "../clusters/outbound-cluster.ts";
import type { Scope } from "../memo.ts";
import { namedResource } from "../resource.ts";
import { type AssignmentOf, assignment } from "./assignment.ts";
import { isMultiNetwork, isRemote, networkOf } from "./networks.ts";

/**
 * The endpoints of a service's clusters that come by EDS, for one client; shared with all clients that call the same
 * ones in the same order.
 */
export function assignmentsOf(scope: Scope, client: Client, hostname: string): readonly EncodedResource[] {
  return edsPlans(scope, client, hostname).map((plan) => shared(scope, assignmentFor(scope, plan, client)));
}

/** Those of `sniDnatClustersOf`. A gateway leads on to its own network only. */
export function sniDnatAssignmentsOf(
  scope: Scope,
  client: Client,
  hostname: string,
): readonly EncodedResource[] {
  return edsPlans(scope, client, hostname, meshServerName)
    .filter(({ service }) => !service.external)
    .map((plan) => shared(scope, { ...assignmentFor(scope, plan, client), remoteBy: "nobody" }));
}

/** What the endpoints of a cluster are made of, in terms that are equal for clients that call the same ones. */
export function assignmentFor(scope: Scope, plan: ClusterPlan, client: Client): AssignmentOf {
  const { name, service, port, labels, policy } = plan;
  const remote = remoteNetworks(scope, service.key, client.network);
  return {
    clusterName: name,
    hostname: service.hostname,
    service: service.key,
    port,
    labels,
    placement: placement(scope, plan, client),
    remote,
    remoteBy: remote.length === 0 || usesMeshTls(scope.view, service, policy) ? "mesh-tls" : "plaintext",
    names: embedsEndpoints(plan.discovery),
  };
}

function edsPlans(
  scope: Scope,
  client: Client,
  hostname: string,
  nameOf?: Parameters<typeof clusterPlans>[3],
): readonly ClusterPlan[] {
  return clusterPlans(scope.view, client, hostname, nameOf).filter(({ discovery }) => discovery === "eds");
}

function shared(scope: Scope, of: AssignmentOf): EncodedResource {
  const { clusterName, hostname: _, port: _port, ...rest } = of;
  return namedResource(
    scope,
    `assignment/${clusterName}@${JSON.stringify(rest)}`,
    ClusterLoadAssignment,
    (inner) => assignment(inner, of),
    (message) => message.clusterName,
  );
}

function placement(scope: Scope, { service, policy }: ClusterPlan, client: Client): Placement {
  const { mesh } = scope.view.settings;
  const setting = localitySetting(policy.loadBalancer?.locality, mesh.localityLbSetting);
  const detectsOutliers = policy.outlierDetection !== undefined;
  if (setting === undefined || (setting.distribute.length === 0 && !detectsOutliers)) return ANYWHERE;
  const localities = traits(scope, "localities", service.key, ({ view }, key) =>
    view.endpoints(key).map(({ locality }) => locality),
  );
  return placementOf(setting, detectsOutliers, client, localities);
}

/** The networks in which the service has endpoints that this client reaches only through gateways. */
function remoteNetworks(scope: Scope, service: ServiceKey, from: string): readonly string[] {
  if (!isMultiNetwork(scope.view)) return [];
  const networks = traits(scope, "networks", service, ({ view }, key) =>
    view.endpoints(key).map((endpoint) => networkOf(view, endpoint)),
  );
  return networks.filter((network) => isRemote(scope.view, from, network));
}

/** What a service's endpoints have of one kind, each once: an entry that few changes of endpoints change. */
function traits(
  scope: Scope,
  name: string,
  service: ServiceKey,
  read: (scope: { readonly view: SnapshotView }, service: ServiceKey) => readonly string[],
): readonly string[] {
  return scope.get(
    `${name}/${service}`,
    (inner) => [...new Set(read(inner, service))].sort(byText),
    (a, b) => a.join(" ") === b.join(" "),
  );
}
