import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { RBAC } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { listenerName } from "../../../mesh/xds/names.ts";
import { authorizationPoliciesFor } from "../../policy/authorization.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import { cidrRange } from "../addresses.ts";
import { ADS } from "../ads.ts";
import { translatePolicies } from "../authz/policies.ts";
import {
  corsFilter,
  faultFilter,
  httpConnectionManager,
  httpRbacFilter,
  networkRbacFilter,
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
      ...rules(scope, of, bound, true).map(httpRbacFilter),
      faultFilter,
      corsFilter,
      routerFilter,
    ],
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
  return [
    ...rules(scope, of, bound, false).map(networkRbacFilter),
    tcpProxy(first?.name ?? "", clusters, settings),
  ];
}

function rules(
  { view, warn }: Scope,
  of: GatewayClass,
  { server }: BoundServer,
  http: boolean,
): readonly RBAC[] {
  const { number } = server.port;
  return translatePolicies(
    authorizationPoliciesFor(view, { namespace: of.client.namespace, labels: of.labels }),
    { trustDomain: view.settings.trustDomain, port: { app: number, inbound: number }, http },
    warn,
  );
}

function placeOf({ server: { bind, port } }: BoundServer): string {
  return listenerName(bind || ALL_ADDRESSES, port.number);
}
