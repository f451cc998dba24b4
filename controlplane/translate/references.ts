import { Cluster, Cluster_DiscoveryType } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type { Filter } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { ExtAuthz as HttpExtAuthz } from "../../mesh/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import { ExtAuthz as NetworkExtAuthz } from "../../mesh/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz.ts";
import {
  HttpConnectionManager,
  type HttpFilter,
} from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { TcpProxy } from "../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { byText } from "../snapshot/text-order.ts";
import type { EncodedResource } from "../xds/config-source.ts";
import { HTTP_CONNECTION_MANAGER, TCP_PROXY } from "./filters/network-filters.ts";
import { HTTP_EXT_AUTHZ, NETWORK_EXT_AUTHZ } from "./filters/security-filters.ts";

/** A resource of another type that must be there for this one to work. */
export interface Reference {
  readonly type: TypeUrl;
  readonly name: string;
}

const known = new WeakMap<EncodedResource, readonly Reference[]>();

/** Host names of the services behind the clusters that resources refer to: `outbound|<port>|<subset>|<host>`. */
export function referredHosts(
  resources: readonly (readonly [TypeUrl, EncodedResource])[],
): readonly string[] {
  return serviceHosts(resources.flatMap(([type, one]) => referencesOf(type, one)).map(({ name }) => name));
}

/** The same of the names of clusters. */
export function serviceHosts(names: readonly string[]): readonly string[] {
  const hosts = names.flatMap((name) => /^outbound\|\d+\|[^|]*\|(.+)$/.exec(name)?.[1] ?? []);
  return [...new Set(hosts)].sort(byText);
}

/** What a resource refers to, read from its bytes: independent of what its builder meant to write. */
export function referencesOf(type: TypeUrl, resource: EncodedResource): readonly Reference[] {
  const before = known.get(resource);
  if (before !== undefined) return before;
  const found = read(type, resource.bytes);
  known.set(resource, found);
  return found;
}

function read(type: TypeUrl, bytes: Uint8Array): readonly Reference[] {
  switch (type) {
    case TYPE_URL.cluster: {
      const { name, type: discovery, edsClusterConfig } = Cluster.decode(bytes);
      return discovery === Cluster_DiscoveryType.EDS
        ? [{ type: TYPE_URL.endpoints, name: edsClusterConfig?.serviceName || name }]
        : [];
    }
    case TYPE_URL.listener:
      return Listener.decode(bytes)
        .filterChains.flatMap(({ filters }) => filters)
        .flatMap(filterReferences);
    case TYPE_URL.route:
      return routeReferences(RouteConfiguration.decode(bytes).virtualHosts);
    case TYPE_URL.virtualHost:
      return routeReferences([VirtualHost.decode(bytes)]);
    default:
      return [];
  }
}

function filterReferences({ typedConfig }: Filter): readonly Reference[] {
  const type = typedConfig?.typeUrl.split("/").at(-1);
  if (typedConfig === undefined) return [];
  if (type === TCP_PROXY) {
    const { cluster, weightedClusters, onDemand } = TcpProxy.decode(typedConfig.value);
    if (onDemand !== undefined) return [];
    return toClusters([cluster, ...(weightedClusters?.clusters ?? []).map(({ name }) => name)]);
  }
  if (type === HTTP_CONNECTION_MANAGER) {
    const { rds, routeConfig, httpFilters } = HttpConnectionManager.decode(typedConfig.value);
    const authorizers = httpFilters.flatMap(authorizerReferences);
    if (routeConfig !== undefined) return [...routeReferences(routeConfig.virtualHosts), ...authorizers];
    return rds === undefined
      ? authorizers
      : [{ type: TYPE_URL.route, name: rds.routeConfigName }, ...authorizers];
  }
  if (type === NETWORK_EXT_AUTHZ) {
    const { grpcService } = NetworkExtAuthz.decode(typedConfig.value);
    return toClusters([grpcService?.envoyGrpc?.clusterName]);
  }
  return [];
}

function authorizerReferences({ typedConfig }: HttpFilter): readonly Reference[] {
  if (typedConfig?.typeUrl.endsWith(`/${HTTP_EXT_AUTHZ}`) !== true) return [];
  const { grpcService, httpService } = HttpExtAuthz.decode(typedConfig.value);
  return toClusters([grpcService?.envoyGrpc?.clusterName, httpService?.serverUri?.cluster]);
}

function routeReferences(virtualHosts: readonly VirtualHost[]): readonly Reference[] {
  return virtualHosts
    .flatMap(({ routes }) => routes)
    .flatMap(({ route }) =>
      toClusters([
        route?.cluster,
        ...(route?.weightedClusters?.clusters ?? []).map(({ name }) => name),
        ...(route?.requestMirrorPolicies ?? []).map(({ cluster }) => cluster),
      ]),
    );
}

function toClusters(names: readonly (string | undefined)[]): readonly Reference[] {
  return names.flatMap((name) => (name === undefined ? [] : [{ type: TYPE_URL.cluster, name }]));
}
