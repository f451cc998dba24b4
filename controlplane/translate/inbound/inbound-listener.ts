import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  type Filter,
  FilterChain,
  type FilterChainMatch,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import {
  ALPN_ISTIO,
  BLACK_HOLE_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  inboundClusterName,
  listenerName,
  VIRTUAL_INBOUND,
} from "../../../mesh/xds/names.ts";
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
  originalDestination,
  pathNormalization,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from "../filters/network-filters.ts";
import { serverTlsSocket } from "../gateway/server-tls.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";
import { inboundRouteConfiguration } from "../routes/route-configuration.ts";
import { meshServerSocket, SERVER_ALPN } from "../tls/mesh-tls.ts";
import type { InboundPort } from "./inbound-port.ts";

/** After this long a TCP peer that says nothing is one that waits for the server to speak first. */
const SERVER_FIRST_AFTER_MS = 3_000;

/** The listener that takes the calls to one port of a workload and hands those that may pass to the application. */
export function inboundListener(scope: Scope, workload: WorkloadConfig, port: InboundPort): Listener {
  const name = listenerName(port.bind.address, port.bind.port);
  const mode = modeOf(scope, workload, port);
  const listener = Listener.fromPartial({
    name,
    address: address(port.bind.address, port.bind.port),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: portChains(scope, workload, port, {}),
  });
  if (port.tls === undefined && mode === "DISABLE") return listener;
  listener.listenerFilters = [tlsInspector];
  return port.tls === undefined && mode === "PERMISSIVE"
    ? patient(listener, !isHttp(port.protocol))
    : listener;
}

/** The one listener for captured connections: a set of chains for each port, and the rest straight to the application. */
export function virtualInbound(
  scope: Scope,
  workload: WorkloadConfig,
  ports: readonly InboundPort[],
): Listener {
  const { name, port } = VIRTUAL_INBOUND;
  const modes = [...ports.map((one) => modeOf(scope, workload, one)), modeOf(scope, workload, undefined)];
  const listener = Listener.fromPartial({
    name,
    address: address("0.0.0.0", port),
    trafficDirection: TrafficDirection.INBOUND,
    useOriginalDst: false,
    listenerFilters: [originalDestination, tlsInspector],
    filterChains: [
      {
        name: `${name}-blackhole`,
        filterChainMatch: { destinationPort: port },
        filters: [tcpProxy(BLACK_HOLE_CLUSTER, [{ name: BLACK_HOLE_CLUSTER, weight: 1 }])],
      },
      ...ports.flatMap((one) => portChains(scope, workload, one, { destinationPort: one.bind.port })),
      ...passthroughChains(scope, workload),
    ],
  });
  return modes.includes("PERMISSIVE") ? patient(listener, true) : listener;
}

/** Waits for a peer's first bytes only so long, where one may wait for the server's. */
function patient(listener: Listener, serverMayBeFirst: boolean): Listener {
  listener.continueOnListenerFiltersTimeout = true;
  if (serverMayBeFirst) listener.listenerFiltersTimeout = duration(SERVER_FIRST_AFTER_MS);
  return listener;
}

type ChainMatch = Pick<Partial<FilterChainMatch>, "destinationPort">;

function portChains(
  scope: Scope,
  workload: WorkloadConfig,
  port: InboundPort,
  match: ChainMatch,
): FilterChain[] {
  const { view, warn } = scope;
  const http = isHttp(port.protocol);
  const cluster = inboundClusterName(port.number);
  const rules = translatePolicies(
    authorizationPoliciesFor(view, workload),
    {
      trustDomain: view.settings.trustDomain,
      port: { app: port.app.port || port.number, inbound: port.bind.port },
      http,
    },
    warn,
  );
  const filters = http
    ? [httpFilter(scope, port, rules.map(httpRbacFilter))]
    : [...rules.map(networkRbacFilter), tcpProxy(cluster, [{ name: cluster, weight: 1 }])];
  const prefix = match.destinationPort === undefined ? "" : `${match.destinationPort}-`;
  if (port.tls !== undefined) {
    // The application's own TLS ends here; PeerAuthentication has to be DISABLE for it, as in Istio.
    return [
      FilterChain.fromPartial({
        name: `${prefix}tls`,
        filterChainMatch: { ...match, transportProtocol: "tls" },
        transportSocket: serverTlsSocket(scope, port.tls, http ? SERVER_ALPN.http : []),
        filters,
      }),
    ];
  }
  return modeChains(scope, modeOf(scope, workload, port), { http, filters, match, prefix });
}

/** What no port of the workload is for goes on to where it was going, under the same rules for peers. */
function passthroughChains(scope: Scope, workload: WorkloadConfig): FilterChain[] {
  const rules = translatePolicies(
    authorizationPoliciesFor(scope.view, workload),
    { trustDomain: scope.view.settings.trustDomain, port: undefined, http: false },
    scope.warn,
  );
  const cluster = INBOUND_PASSTHROUGH_CLUSTER;
  const filters = [...rules.map(networkRbacFilter), tcpProxy(cluster, [{ name: cluster, weight: 1 }])];
  const prefix = `${VIRTUAL_INBOUND.name}-catchall-`;
  return modeChains(scope, modeOf(scope, workload, undefined), { http: false, filters, match: {}, prefix });
}

function modeOf({ view }: Scope, workload: WorkloadConfig, port: InboundPort | undefined): EffectiveMtlsMode {
  return mtlsMode(view, workload, port === undefined ? 0 : port.app.port || port.number);
}

function httpFilter(
  { view }: Scope,
  { number, bind }: InboundPort,
  rbac: readonly ReturnType<typeof httpRbacFilter>[],
): Filter {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `inbound_${listenerName(bind.address, bind.port)}`,
    routeConfig: inboundRouteConfiguration(number),
    httpFilters: [...rbac, routerFilter],
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, uri: true },
    ...pathNormalization(view.settings.mesh.pathNormalization ?? "MERGE_SLASHES"),
  });
  return httpConnectionManager(manager);
}

interface ModeChains {
  readonly http: boolean;
  readonly filters: readonly Filter[];
  readonly match: ChainMatch;
  /** Of the chains' names. */
  readonly prefix: string;
}

/**
 * Istio's table of modes and protocols. Where both kinds of traffic are welcome the ALPN tells TLS of the mesh from the
 * application's own, which on a TCP port goes through as it is.
 */
function modeChains(
  { view }: Scope,
  mode: EffectiveMtlsMode,
  { http, filters, match, prefix }: ModeChains,
): FilterChain[] {
  const { trustDomain, mesh: settings } = view.settings;
  const mesh = (alpn: readonly string[]): FilterChain =>
    FilterChain.fromPartial({
      name: `${prefix}mesh`,
      filterChainMatch: { ...match, transportProtocol: "tls", applicationProtocols: [...alpn] },
      transportSocket: meshServerSocket(
        [trustDomain, ...settings.trustDomainAliases],
        http ? SERVER_ALPN.http : SERVER_ALPN.tcp,
        settings.meshMtlsMinVersion,
      ),
      filters: [...filters],
    });
  const passed = (name: string, transportProtocol: string): FilterChain =>
    FilterChain.fromPartial({
      name: `${prefix}${name}`,
      filterChainMatch: { ...match, transportProtocol },
      filters: [...filters],
    });
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
