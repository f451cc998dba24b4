import type { WorkloadId } from "../../mesh/model/workload.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { inboundClusterName, listenerName, outboundClusterName, routeName } from "../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { Client } from "../policy/client.ts";
import { by, byText } from "../snapshot/text-order.ts";
import type { EncodedResource, ResourceMap } from "../xds/config-source.ts";
import { checkReferences } from "./check-references.ts";
import { blackHoleCluster, inboundCluster, outboundCluster } from "./clusters/clusters.ts";
import { encodeResource } from "./encode.ts";
import { edsAssignment } from "./endpoints/assignment.ts";
import { inboundListener } from "./inbound/inbound-listener.ts";
import type { Scope } from "./memo.ts";
import { type NodePlan, type PlannedUpstream, planNode, rulesKey } from "./outbound/node-plan.ts";
import {
  blackHoleListener,
  outboundHttpListener,
  outboundTcpListener,
} from "./outbound/outbound-listener.ts";
import { outboundRouteConfiguration } from "./routes/route-configuration.ts";

export type ResourceTypes = ReadonlyMap<TypeUrl, ResourceMap>;

/** The memo's key of everything that one workload gets. */
export function nodeKey(id: WorkloadId): string {
  return `node/${id}`;
}

/**
 * Everything that one workload gets, with its references checked; undefined when there is no such workload. Each resource
 * is an entry of the memo of its own; what does not depend on the workload is shared with the others.
 */
export function nodeResources(scope: Scope, id: WorkloadId): ResourceTypes | undefined {
  if (scope.view.workload(id) === undefined) return undefined;
  const typeMap = (
    name: string,
    build: (scope: Scope, plan: NodePlan) => readonly EncodedResource[],
  ): ResourceMap =>
    scope.get(
      `${name}/${id}`,
      (inner) =>
        toMap(
          build(
            inner,
            inner.get(`plan/${id}`, (planning) => planNode(planning, id, workloadOf(planning, id))),
          ),
        ),
      sameResources,
    );
  const types: ResourceTypes = new Map([
    [TYPE_URL.cluster, typeMap("clusters", (inner, plan) => clusters(inner, id, plan))],
    [TYPE_URL.endpoints, typeMap("assignments", assignments)],
    [TYPE_URL.listener, typeMap("listeners", (inner, plan) => listeners(inner, id, plan))],
    [TYPE_URL.route, typeMap("routes", routes)],
  ]);
  checkReferences(types);
  return types;
}

function clusters(scope: Scope, id: WorkloadId, plan: NodePlan): readonly EncodedResource[] {
  const { connectTimeoutMs } = scope.view.settings;
  return [
    resource(scope, "cluster/black-hole", Cluster, () => blackHoleCluster(connectTimeoutMs)),
    ...plan.inbound.map(({ servicePort }) =>
      resource(scope, `cluster/${id}/${inboundClusterName(servicePort)}`, Cluster, (inner) =>
        inboundCluster(portOf(inner, id, servicePort), connectTimeoutMs),
      ),
    ),
    ...plan.clusters.map((of) => {
      const name = outboundClusterName(of.port, of.subset, of.hostname);
      return resource(scope, `cluster/${name}@${rulesKey(of.rules)}`, Cluster, (inner) =>
        outboundCluster(inner, of),
      );
    }),
  ];
}

function assignments(scope: Scope, plan: NodePlan): readonly EncodedResource[] {
  return plan.clusters
    .filter(({ assigned }) => assigned)
    .map((of) => {
      const name = outboundClusterName(of.port, of.subset, of.hostname);
      return resource(
        scope,
        `assignment/${name}@${textOf(of.labels)}`,
        ClusterLoadAssignment,
        (inner) => edsAssignment(inner, of),
        ({ clusterName }) => clusterName,
      );
    });
}

function listeners(scope: Scope, id: WorkloadId, plan: NodePlan): readonly EncodedResource[] {
  return [
    ...plan.inbound.map(({ servicePort }) =>
      resource(scope, `listener/${id}/${servicePort}`, Listener, (inner) =>
        inboundListener(inner, workloadOf(inner, id), portOf(inner, id, servicePort)),
      ),
    ),
    ...plan.outbound.map((upstream) => outboundListener(scope, plan.client, upstream)),
  ];
}

function outboundListener(scope: Scope, client: Client, { bind, target }: PlannedUpstream): EncodedResource {
  const at = listenerName(bind.address, bind.port);
  if (target === undefined) {
    return resource(scope, `listener/${at}/black-hole`, Listener, () => blackHoleListener(bind));
  }
  const { hostname, port, protocol } = target;
  const name = routeName(hostname, port);
  return protocol === "http"
    ? resource(scope, `listener/${at}/${name}`, Listener, () => outboundHttpListener(bind, hostname, port))
    : resource(scope, `listener/${at}/${name}/${clientKey(client)}`, Listener, (inner) =>
        outboundTcpListener(inner, client, bind, hostname, port),
      );
}

function routes(scope: Scope, plan: NodePlan): readonly EncodedResource[] {
  return plan.outbound.flatMap(({ target }) =>
    target?.protocol === "http"
      ? [
          resource(
            scope,
            `route/${routeName(target.hostname, target.port)}/${clientKey(plan.client)}`,
            RouteConfiguration,
            (inner) => outboundRouteConfiguration(inner, plan.client, target.hostname, target.port),
          ),
        ]
      : [],
  );
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

function resource<T extends { readonly name: string }>(
  scope: Scope,
  key: string,
  codec: Codec<T>,
  build: (scope: Scope) => T,
): EncodedResource;
function resource<T>(
  scope: Scope,
  key: string,
  codec: Codec<T>,
  build: (scope: Scope) => T,
  nameOf: (message: T) => string,
): EncodedResource;
function resource<T>(
  scope: Scope,
  key: string,
  codec: Codec<T>,
  build: (scope: Scope) => T,
  nameOf: (message: T) => string = (message) => (message as { name: string }).name,
): EncodedResource {
  return scope.get(
    key,
    (inner) => {
      const message = build(inner);
      return encodeResource(nameOf(message), codec, message);
    },
    (before, after) => before.version === after.version && before.name === after.name,
  );
}

function toMap(resources: readonly EncodedResource[]): ResourceMap {
  return new Map([...resources].sort(by(({ name }) => name)).map((one) => [one.name, one]));
}

function sameResources(before: ResourceMap, after: ResourceMap): boolean {
  if (before.size !== after.size) return false;
  return [...after].every(([name, { version }]) => before.get(name)?.version === version);
}

function workloadOf(scope: Scope, id: WorkloadId): NonNullable<ReturnType<Scope["view"]["workload"]>> {
  const workload = scope.view.workload(id);
  if (workload === undefined) throw new Error(`no workload ${id}`);
  return workload;
}

function portOf(scope: Scope, id: WorkloadId, servicePort: number): NodePlan["inbound"][number] {
  const port = workloadOf(scope, id).ports.find((one) => one.servicePort === servicePort);
  if (port === undefined) throw new Error(`workload ${id} has no port ${servicePort}`);
  return port;
}

/** Routes depend on the client's namespace and labels only, so all instances of a service share them. */
function clientKey({ namespace, labels }: Client): string {
  return `${namespace}{${textOf(labels)}}`;
}

function textOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => byText(a, b)));
}
