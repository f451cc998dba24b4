import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { listenerName } from "../../../mesh/xds/names.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { cidrRange } from "../addresses.ts";
import { ADS } from "../ads.ts";
import { httpGuards, networkGuards } from "../authz/guards.ts";
import type { PolicyPort } from "../authz/permission.ts";
import { calledAlpnFilter, http1AlpnFilter } from "../filters/alpn-filters.ts";
import { httpCallLog, tcpCallLog, tellsCalls } from "../filters/call-log.ts";
import {
  corsFilter,
  faultFilter,
  httpConnectionManager,
  pathNormalization,
  routerFilter,
  tcpProxy,
} from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import type { GatewayClass } from "./gateway-class.ts";
import type { Layer4Targets } from "./layer4-targets.ts";

/** What callers from outside are told to have spoken with. */
const SERVER_NAME = "istio-envoy";

/** Where every Gateway listens that does not say. */
export const ALL_ADDRESSES = "0.0.0.0";

/**
 * HTTP at the edge: the peer's address is that of the connection, whatever a header says, and what it presents of client
 * certificates by itself is thrown away.
 */
export function httpFilter(scope: Scope, of: GatewayClass, bound: BoundServer, routeName: string): Filter {
  const { server } = bound;
  const { mesh } = scope.view.settings;
  const cidrs = Object.values(mesh.networks).flatMap((network) => network.cidrs);
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: (server.tls !== undefined && server.name) || `outbound_${placeOf(bound)}`,
    rds: { configSource: ADS, routeConfigName: routeName },
    httpFilters: [
      ...httpGuards(scope, workloadOf(of), portOf(bound), { routesByClaims: true }),
      calledAlpnFilter,
      http1AlpnFilter,
      faultFilter,
      corsFilter,
      routerFilter,
    ],
    accessLog: tellsCalls(scope.view, of) ? [httpCallLog] : [],
    useRemoteAddress: true,
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
    serverName: SERVER_NAME,
    ...(cidrs.length === 0 ? {} : { internalAddressConfig: { cidrRanges: cidrs.map(cidrRange) } }),
    ...pathNormalization(mesh.pathNormalization ?? "BASE"),
  });
  return httpConnectionManager(manager);
}

/** Bytes, to one cluster or to several by weight. */
export function tcpFilters(
  scope: Scope,
  of: GatewayClass,
  bound: BoundServer,
  { clusters, settings }: Pick<Layer4Targets, "clusters" | "settings">,
): readonly Filter[] {
  const [first] = clusters;
  const accessLog = tellsCalls(scope.view, of) ? [tcpCallLog] : [];
  return [
    ...networkGuards(scope, workloadOf(of), portOf(bound)),
    tcpProxy(first?.name ?? "", clusters, { ...settings, accessLog }),
  ];
}

/** A gateway has no application: what is called is what it listens on. */
function portOf({ server }: BoundServer): PolicyPort {
  return { app: server.port.number, inbound: server.port.number };
}

/** The part of its workloads that policies select by. */
function workloadOf({ client, labels }: GatewayClass): Pick<WorkloadConfig, "namespace" | "labels" | "role"> {
  return { namespace: client.namespace, labels, role: client.role };
}

function placeOf({ server: { bind, port } }: BoundServer): string {
  return listenerName(bind || ALL_ADDRESSES, port.number);
}
