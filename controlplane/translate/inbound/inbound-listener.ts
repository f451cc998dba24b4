import type { WorkloadPort } from "../../../mesh/model/workload.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  type Filter,
  FilterChain,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { ALPN_ISTIO, inboundClusterName, listenerName } from "../../../mesh/xds/names.ts";
import { authorizationPoliciesFor } from "../../policy/authorization.ts";
import { type EffectiveMtlsMode, mtlsMode } from "../../policy/peer-authentication.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { address } from "../addresses.ts";
import { translatePolicies } from "../authz/policies.ts";
import { duration } from "../durations.ts";
import {
  httpConnectionManager,
  httpRbacFilter,
  networkRbacFilter,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";
import { inboundRouteConfiguration } from "../routes/route-configuration.ts";
import { meshServerSocket, SERVER_ALPN } from "../tls/mesh-tls.ts";

/** After this long a TCP peer that says nothing is one that waits for the server to speak first. */
const SERVER_FIRST_AFTER_MS = 3_000;

/** The listener that takes the calls to one port of a workload and hands those that may pass to the application. */
export function inboundListener(
  { view, warn }: Scope,
  workload: WorkloadConfig,
  port: WorkloadPort,
): Listener {
  const http = isHttp(port.protocol);
  const mode = mtlsMode(view, workload, port.app.port);
  const rules = translatePolicies(
    authorizationPoliciesFor(view, workload),
    {
      trustDomain: view.settings.trustDomain,
      port: { app: port.app.port, inbound: port.inbound.port },
      http,
    },
    warn,
  );
  const name = listenerName(port.inbound.address, port.inbound.port);
  const filters = http
    ? [httpFilter(name, port.servicePort, rules.map(httpRbacFilter))]
    : [
        ...rules.map(networkRbacFilter),
        tcpProxy(inboundClusterName(port.servicePort), [
          { name: inboundClusterName(port.servicePort), weight: 1 },
        ]),
      ];
  const listener = Listener.fromPartial({
    name,
    address: address(port.inbound.address, port.inbound.port),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: filterChains(mode, http, view.settings.trustDomain, filters),
  });
  return looksForTls(listener, mode, http);
}

function httpFilter(
  listener: string,
  servicePort: number,
  rbac: readonly ReturnType<typeof httpRbacFilter>[],
): Filter {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `inbound_${listener}`,
    routeConfig: inboundRouteConfiguration(servicePort),
    httpFilters: [...rbac, routerFilter],
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, uri: true },
    normalizePath: true,
    mergeSlashes: true,
  });
  return httpConnectionManager(manager);
}

/**
 * Istio's table of modes and protocols. Where both kinds of traffic are welcome the ALPN tells TLS of the mesh from the
 * application's own, which on a TCP port goes through as it is.
 */
function filterChains(
  mode: EffectiveMtlsMode,
  http: boolean,
  trustDomain: string,
  filters: readonly Filter[],
): FilterChain[] {
  const mesh = (alpn: readonly string[]): FilterChain =>
    FilterChain.fromPartial({
      name: "mesh",
      filterChainMatch: { transportProtocol: "tls", applicationProtocols: [...alpn] },
      transportSocket: meshServerSocket(trustDomain, http ? SERVER_ALPN.http : SERVER_ALPN.tcp),
      filters: [...filters],
    });
  const passed = (name: string, transportProtocol: string): FilterChain =>
    FilterChain.fromPartial({ name, filterChainMatch: { transportProtocol }, filters: [...filters] });
  const plaintext = passed("plaintext", "raw_buffer");
  switch (mode) {
    case "STRICT":
      return [mesh([])];
    case "DISABLE":
      return [plaintext];
    case "PERMISSIVE":
      return http
        ? [mesh(ALPN_ISTIO), plaintext]
        : [mesh(ALPN_ISTIO), passed("application-tls", "tls"), plaintext];
    default:
      return mode satisfies never;
  }
}

function looksForTls(listener: Listener, mode: EffectiveMtlsMode, http: boolean): Listener {
  if (mode === "DISABLE") return listener;
  listener.listenerFilters = [tlsInspector];
  if (mode === "PERMISSIVE") {
    listener.continueOnListenerFiltersTimeout = true;
    if (!http) listener.listenerFiltersTimeout = duration(SERVER_FIRST_AFTER_MS);
  }
  return listener;
}
