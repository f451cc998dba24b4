import type { ApplyTo, PatchContext, PatchMatch, PatchOperation } from "../../../mesh/model/envoy-filter.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TypedExtensionConfig } from "../../../mesh/xds/gen/envoy/config/core/v3/extension.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  Filter,
  FilterChain,
  ListenerFilter,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";

/** The message that a patch of each target adds, or lays over those that are there. */
export interface MessageOf {
  LISTENER: Listener;
  LISTENER_FILTER: ListenerFilter;
  FILTER_CHAIN: FilterChain;
  NETWORK_FILTER: Filter;
  HTTP_FILTER: HttpFilter;
  ROUTE_CONFIGURATION: RouteConfiguration;
  VIRTUAL_HOST: VirtualHost;
  HTTP_ROUTE: Route;
  CLUSTER: Cluster;
  EXTENSION_CONFIG: TypedExtensionConfig;
}

/** What can be patched over xDS: all but the bootstrap. */
export type Target = Exclude<ApplyTo, "BOOTSTRAP"> & keyof MessageOf;

export interface MessageCodec<T> {
  readonly typeName: string;
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

export const CODECS: { readonly [T in Target]: MessageCodec<MessageOf[T]> } = {
  LISTENER: { typeName: "envoy.config.listener.v3.Listener", ...Listener },
  LISTENER_FILTER: { typeName: "envoy.config.listener.v3.ListenerFilter", ...ListenerFilter },
  FILTER_CHAIN: { typeName: "envoy.config.listener.v3.FilterChain", ...FilterChain },
  NETWORK_FILTER: { typeName: "envoy.config.listener.v3.Filter", ...Filter },
  HTTP_FILTER: {
    typeName: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
    ...HttpFilter,
  },
  ROUTE_CONFIGURATION: { typeName: "envoy.config.route.v3.RouteConfiguration", ...RouteConfiguration },
  VIRTUAL_HOST: { typeName: "envoy.config.route.v3.VirtualHost", ...VirtualHost },
  HTTP_ROUTE: { typeName: "envoy.config.route.v3.Route", ...Route },
  CLUSTER: { typeName: "envoy.config.cluster.v3.Cluster", ...Cluster },
  EXTENSION_CONFIG: { typeName: "envoy.config.core.v3.TypedExtensionConfig", ...TypedExtensionConfig },
};

/** A patch that is ready to be applied. */
export interface Patch<T extends Target> {
  readonly applyTo: T;
  readonly match: PatchMatch;
  /** What `match.cluster.service` can mean. */
  readonly services: readonly string[];
  readonly operation: PatchOperation;
  /** Undefined for REMOVE. */
  readonly value: PatchValue<MessageOf[T]> | undefined;
  /** `EnvoyFilter/namespace/name`. */
  readonly subject: string;
  /** Its place in `configPatches`. */
  readonly index: number;
}

/** The same message twice. */
export interface PatchValue<M> {
  readonly message: M;
  readonly bytes: Uint8Array;
}

/** Where a resource is looked at from. */
export type ResourceContext = Exclude<PatchContext, "ANY">;
