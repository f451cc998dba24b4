import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources } from "../xds/config-source.ts";

/**
 * All that one proxy has, decoded, by name. Endpoints are by the name that their cluster asks for; virtual hosts that were
 * asked for are in their route configurations.
 */
export interface XdsConfig {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly assignments: ReadonlyMap<string, ClusterLoadAssignment>;
}

export function decodeXdsConfig(types: NodeResources["types"]): XdsConfig {
  const decoded = <T>(type: TypeUrl, codec: Decoder<T>): ReadonlyMap<string, T> =>
    new Map([...(types.get(type) ?? [])].map(([name, { bytes }]) => [name, codec.decode(bytes)]));
  const asked = [...decoded(TYPE_URL.virtualHost, VirtualHost)];
  const routes = [...decoded(TYPE_URL.route, RouteConfiguration)].map(([name, one]) => {
    const hosts = asked.filter(([host]) => host.startsWith(`${name}/`)).map(([, host]) => host);
    return [
      name,
      RouteConfiguration.fromPartial({ ...one, virtualHosts: [...one.virtualHosts, ...hosts] }),
    ] as const;
  });
  return {
    listeners: decoded(TYPE_URL.listener, Listener),
    routes: new Map(routes),
    clusters: decoded(TYPE_URL.cluster, Cluster),
    assignments: decoded(TYPE_URL.endpoints, ClusterLoadAssignment),
  };
}

interface Decoder<T> {
  decode(bytes: Uint8Array): T;
}

/** Whether an Any holds a message of this name; the package is left out: `TcpProxy`. */
export function holds(any: Any | undefined, message: string): any is Any {
  return any !== undefined && any.typeUrl.endsWith(`.${message}`);
}

/** The message in an Any, if it is one of this name. */
export function unpack<T>(any: Any | undefined, message: string, codec: Decoder<T>): T | undefined {
  return holds(any, message) ? codec.decode(any.value) : undefined;
}
