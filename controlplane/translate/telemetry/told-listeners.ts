import { createHash } from "node:crypto";
import type { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { AccessLog } from "../../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  Filter,
  FilterChain,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager,
  HttpConnectionManager_Tracing,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { TcpProxy } from "../../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { pack } from "../any.ts";
import { encodeResource } from "../encode.ts";
import { HTTP_CONNECTION_MANAGER, TCP_PROXY } from "../filters/network-filters.ts";

/** What the listeners of one side tell. */
export interface SideTelemetry {
  readonly logs: readonly AccessLog[];
  readonly tracing: HttpConnectionManager_Tracing | undefined;
}

/** What a workload's listeners tell of its calls. */
export interface ListenerTelemetry {
  /** Equal for equal telemetry. */
  readonly key: string;
  readonly client: SideTelemetry;
  readonly server: SideTelemetry;
}

/** A short text that is equal for equal telemetry. */
export function telemetryKey({ client, server }: Omit<ListenerTelemetry, "key">): string {
  const hash = createHash("sha256");
  for (const { logs, tracing } of [client, server]) {
    hash.update(`${logs.length} ${tracing !== undefined}`);
    for (const log of logs) hash.update(AccessLog.encode(log).finish());
    if (tracing !== undefined) hash.update(HttpConnectionManager_Tracing.encode(tracing).finish());
  }
  return hash.digest("hex");
}

export function tellsNothing({ client, server }: ListenerTelemetry): boolean {
  return [client, server].every(({ logs, tracing }) => logs.length === 0 && tracing === undefined);
}

/** The listeners of `source` with their telemetry; only what has changed since `before` is made again. */
export function toldListeners(
  source: SharedMap<EncodedResource>,
  telemetry: ListenerTelemetry,
  before: { readonly source: SharedMap<EncodedResource>; readonly told: SharedMap<EncodedResource> },
): SharedMap<EncodedResource> {
  const { set, removed } = source.changesSince(before.source);
  return before.told.edited([
    ...removed.map((name) => [name, undefined] as const),
    ...set.map(([name, resource]) => [name, toldListener(resource, telemetry)] as const),
  ]);
}

function toldListener(resource: EncodedResource, telemetry: ListenerTelemetry): EncodedResource {
  const listener = Listener.decode(resource.bytes);
  const side = listener.trafficDirection === TrafficDirection.INBOUND ? telemetry.server : telemetry.client;
  if (side.logs.length === 0 && side.tracing === undefined) return resource;
  let tells = false;
  const chain = (one: FilterChain): FilterChain => {
    const filters = one.filters.map((filter) => toldFilter(filter, side));
    tells ||= filters.some((filter, index) => filter !== one.filters[index]);
    return { ...one, filters };
  };
  const told = {
    ...listener,
    filterChains: listener.filterChains.map(chain),
    defaultFilterChain: listener.defaultFilterChain && chain(listener.defaultFilterChain),
  };
  // What has nothing to tell, as TCP has no spans, stays one resource for all.
  return tells ? encodeResource(resource.name, Listener, told) : resource;
}

function toldFilter(filter: Filter, { logs, tracing }: SideTelemetry): Filter {
  const { typedConfig } = filter;
  if (typedConfig?.typeUrl.endsWith(`/${HTTP_CONNECTION_MANAGER}`) === true) {
    const manager = HttpConnectionManager.decode(typedConfig.value);
    // Logs and tracing that a patch has put there are meant.
    const told = {
      ...manager,
      accessLog: [...manager.accessLog, ...logs],
      tracing: manager.tracing ?? tracing,
    };
    return { ...filter, typedConfig: pack(HTTP_CONNECTION_MANAGER, HttpConnectionManager, told) };
  }
  if (typedConfig?.typeUrl.endsWith(`/${TCP_PROXY}`) !== true || logs.length === 0) return filter;
  const proxy = TcpProxy.decode(typedConfig.value);
  const told = { ...proxy, accessLog: [...proxy.accessLog, ...logs] };
  return { ...filter, typedConfig: pack(TCP_PROXY, TcpProxy, told) };
}
