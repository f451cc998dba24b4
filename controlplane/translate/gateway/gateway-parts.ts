import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { sniDnatClustersOf } from "../clusters/service-clusters.ts";
import { encodeResource } from "../encode.ts";
import { sniDnatAssignmentsOf } from "../endpoints/service-assignments.ts";
import type { Scope } from "../memo.ts";
import type { NodeParts } from "../node-parts.ts";
import { referredHosts } from "../references.ts";
import { resource, sameResource } from "../resource.ts";
import { passedHosts } from "./auto-passthrough.ts";
import { clientCredentials, serverCredentials } from "./credentials.ts";
import { type GatewayClass, gatewayClass, mergedGateways } from "./gateway-class.ts";
import { gatewayListener } from "./gateway-listener.ts";
import { gatewayRoutes } from "./gateway-routes.ts";

export interface GatewayResources {
  readonly parts: NodeParts;
  /** Host names of the services whose clusters it needs. */
  readonly hosts: readonly string[];
}

/** What a gateway workload gets because of the Gateways that select it. Workloads that are alike share all of it. */
export function gatewayResources(scope: Scope, workload: WorkloadConfig): GatewayResources {
  const of = gatewayClass(scope, workload);
  return scope.get(`gateway/${of.key}`, (inner) => build(inner, of));
}

function build(scope: Scope, of: GatewayClass): GatewayResources {
  const { listeners } = mergedGateways(scope, of);
  const servers = serversOf(scope, of);
  const built = listeners.flatMap(
    (listener) => listenerResource(scope, of, listener.bind, listener.port) ?? [],
  );
  const routes = routeNames(servers).map((name) =>
    resource(scope, `gateway-route/${of.key}/${name}`, RouteConfiguration, (inner) =>
      gatewayRoutes(
        inner,
        of,
        name,
        serversOf(inner, of).filter(({ routeName }) => routeName === name),
      ),
    ),
  );
  const hosts = referredHosts([
    ...built.map((one) => [TYPE_URL.listener, one] as const),
    ...routes.map((one) => [TYPE_URL.route, one] as const),
  ]);
  const passed = passedHosts(scope, of, servers);
  const { client } = of;
  const secrets = [
    ...servers.flatMap(({ server: { tls } }) => tls && serverCredentials(scope, client.namespace, tls)),
    ...clientCredentials(scope, client, hosts),
  ];
  return {
    parts: new Map<TypeUrl, readonly EncodedResource[]>([
      [TYPE_URL.listener, built],
      [TYPE_URL.route, routes],
      [TYPE_URL.cluster, passed.flatMap((host) => sniDnatClustersOf(scope, client, host))],
      [TYPE_URL.endpoints, passed.flatMap((host) => sniDnatAssignmentsOf(scope, client, host))],
      [TYPE_URL.secret, [...new Set(secrets)].flatMap((secret) => secret ?? [])],
    ]),
    hosts,
  };
}

function listenerResource(
  scope: Scope,
  of: GatewayClass,
  bind: string,
  port: number,
): EncodedResource | undefined {
  return scope.get<EncodedResource | undefined>(
    `gateway-listener/${of.key}/${bind}_${port}`,
    (inner) => {
      const found = mergedGateways(inner, of).listeners.find((one) => one.bind === bind && one.port === port);
      const listener = found && gatewayListener(inner, of, found);
      return listener && encodeResource(listener.name, Listener, listener);
    },
    (a, b) => (a === undefined || b === undefined ? a === b : sameResource(a, b)),
  );
}

function serversOf(scope: Scope, of: GatewayClass): readonly BoundServer[] {
  return mergedGateways(scope, of).listeners.flatMap(({ servers }) => servers);
}

function routeNames(servers: readonly BoundServer[]): readonly string[] {
  return [...new Set(servers.flatMap(({ routeName }) => routeName ?? []))];
}
