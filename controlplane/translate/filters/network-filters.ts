import type { MeshConfigSpec } from "../../../mesh/model/mesh-config.ts";
import {
  Filter,
  ListenerFilter,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { Cors } from "../../../mesh/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts";
import { HTTPFault } from "../../../mesh/xds/gen/envoy/extensions/filters/http/fault/v3/fault.ts";
import { OnDemand } from "../../../mesh/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand.ts";
import { Router } from "../../../mesh/xds/gen/envoy/extensions/filters/http/router/v3/router.ts";
import { HttpInspector } from "../../../mesh/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.ts";
import { OriginalDst } from "../../../mesh/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst.ts";
import { TlsInspector } from "../../../mesh/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts";
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager,
  HttpFilter,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import {
  TcpProxy,
  TcpProxy_OnDemand,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { ADS } from "../ads.ts";
import { pack } from "../any.ts";
import type { TcpSettings } from "../clusters/tcp-settings.ts";
import { duration } from "../durations.ts";

export const FAULT_FILTER = "envoy.filters.http.fault";
export const HTTP_CONNECTION_MANAGER =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
export const TCP_PROXY = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

/** Longest that a connection waits for a cluster that was asked for, as for virtual hosts. */
const LONGEST_LOOKUP_MS = 5000;

export const tlsInspector: ListenerFilter = ListenerFilter.fromPartial({
  name: "envoy.filters.listener.tls_inspector",
  typedConfig: pack(
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    TlsInspector,
    TlsInspector.fromPartial({}),
  ),
});

/** Tells HTTP from other plaintext by its first bytes. */
export const httpInspector: ListenerFilter = ListenerFilter.fromPartial({
  name: "envoy.filters.listener.http_inspector",
  typedConfig: pack(
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
    HttpInspector,
    HttpInspector.fromPartial({}),
  ),
});

/** Looks up where a captured connection was going. */
export const originalDestination: ListenerFilter = ListenerFilter.fromPartial({
  name: "envoy.filters.listener.original_dst",
  typedConfig: pack(
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    OriginalDst,
    OriginalDst.fromPartial({}),
  ),
});

export const routerFilter: HttpFilter = HttpFilter.fromPartial({
  name: "envoy.filters.http.router",
  typedConfig: pack("envoy.extensions.filters.http.router.v3.Router", Router, Router.fromPartial({})),
});

/** Injects nothing by itself: routes bring their faults. */
export const faultFilter: HttpFilter = HttpFilter.fromPartial({
  name: FAULT_FILTER,
  typedConfig: pack("envoy.extensions.filters.http.fault.v3.HTTPFault", HTTPFault, HTTPFault.fromPartial({})),
});

/** Holds a call to a host that is not known yet, and asks for it (VHDS). */
export const onDemandFilter: HttpFilter = HttpFilter.fromPartial({
  name: "envoy.filters.http.on_demand",
  typedConfig: pack(
    "envoy.extensions.filters.http.on_demand.v3.OnDemand",
    OnDemand,
    OnDemand.fromPartial({}),
  ),
});

/** Answers preflights by what routes bring of CORS. */
export const corsFilter: HttpFilter = HttpFilter.fromPartial({
  name: "envoy.filters.http.cors",
  typedConfig: pack("envoy.extensions.filters.http.cors.v3.Cors", Cors, Cors.fromPartial({})),
});

type PathNormalization = Pick<
  HttpConnectionManager,
  "normalizePath" | "mergeSlashes" | "pathWithEscapedSlashesAction"
>;

/** How a path is cleaned before anything is decided by it (MeshConfig `pathNormalization`). */
export function pathNormalization(
  level: NonNullable<MeshConfigSpec["pathNormalization"]>,
): Partial<PathNormalization> {
  switch (level) {
    case "NONE":
      return { normalizePath: false };
    case "BASE":
      return { normalizePath: true };
    case "MERGE_SLASHES":
      return { normalizePath: true, mergeSlashes: true };
    case "DECODE_AND_MERGE_SLASHES":
      return {
        normalizePath: true,
        mergeSlashes: true,
        pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_FORWARD,
      };
    default:
      return level satisfies never;
  }
}

/** Connections may be upgraded to WebSocket, and a stream may idle as long as its ends like, as in Istio. */
export function httpConnectionManager(settings: HttpConnectionManager): Filter {
  const manager: HttpConnectionManager = {
    ...settings,
    streamIdleTimeout: duration(0),
    upgradeConfigs: [{ upgradeType: "websocket", filters: [], enabled: undefined }],
  };
  return Filter.fromPartial({
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: pack(HTTP_CONNECTION_MANAGER, HttpConnectionManager, manager),
  });
}

export interface WeightedName {
  readonly name: string;
  readonly weight: number;
}

/** What a proxy does with a connection to a cluster that it does not have: it holds it and asks for the cluster (ODCDS). */
export const onDemandCluster = {
  onDemand: TcpProxy_OnDemand.fromPartial({ odcdsConfig: ADS, timeout: duration(LONGEST_LOOKUP_MS) }),
} as const;

/** To one cluster, or to several by weight. */
export function tcpProxy(
  statPrefix: string,
  clusters: readonly WeightedName[],
  settings: Partial<TcpSettings & Pick<TcpProxy, "accessLog" | "onDemand">> = {},
): Filter {
  const [first, ...others] = clusters;
  const target =
    others.length === 0
      ? { cluster: first?.name ?? "" }
      : { weightedClusters: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) } };
  return Filter.fromPartial({
    name: "envoy.filters.network.tcp_proxy",
    typedConfig: pack(TCP_PROXY, TcpProxy, TcpProxy.fromPartial({ statPrefix, ...settings, ...target })),
  });
}
