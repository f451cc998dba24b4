import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  type Filter,
  FilterChain,
  type FilterChainMatch,
  type ListenerFilter,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager,
  type HttpFilter,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import {
  ALPN_ISTIO,
  BLACK_HOLE_CLUSTER,
  CAPTURED_AT,
  INBOUND_PASSTHROUGH_CLUSTER,
  inboundClusterName,
  listenerName,
  VIRTUAL_INBOUND,
} from "../../../mesh/xds/names.ts";
import { type EffectiveMtlsMode, mtlsMode, portsWithMode } from "../../policy/peer-authentication.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { address, capturedAddress } from "../addresses.ts";
import { httpGuards, networkGuards } from "../authz/guards.ts";
import { trustDomainsOf } from "../authz/trust-domains.ts";
import { banMetadata } from "../ban-metadata.ts";
import { duration } from "../durations.ts";
import { httpCallLog, tcpCallLog, tellsCalls } from "../filters/call-log.ts";
import { anyOfPorts, NO_PREDICATE, SERVER_FIRST_AFTER_MS } from "../filters/captured-ports.ts";
import {
  corsFilter,
  faultFilter,
  httpConnectionManager,
  httpInspector,
  originalDestination,
  pathNormalization,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from "../filters/network-filters.ts";
import { serverTlsSocket } from "../gateway/server-tls.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";
import { inboundRouteConfiguration, passthroughRouteConfiguration } from "../routes/route-configuration.ts";
import { meshServerSocket, SERVER_ALPN } from "../tls/mesh-tls.ts";
import type { InboundPort } from "./inbound-port.ts";

const ALPN_ISTIO_TCP: readonly string[] = ["istio"];
const ALPN_ISTIO_HTTP: readonly string[] = ALPN_ISTIO.filter((name) => !ALPN_ISTIO_TCP.includes(name));

/** What the inspector calls the kinds of plaintext HTTP. */
const ALPN_PLAIN_HTTP: readonly string[] = ["http/1.0", "http/1.1", "h2c"];

/** A sidecar has one way in for each port, whatever a token says. */
const NO_CLAIM_ROUTES = { routesByClaims: false } as const;

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
  const { tls, http } = portMode(port, mode);
  listener.listenerFilters = [...(tls ? [tlsInspector] : []), ...(http ? [httpInspector] : [])];
  const waits = port.tls === undefined && (mode === "PERMISSIVE" || http);
  return waits ? patient(listener, !isHttp(port.protocol)) : listener;
}

/** The one listener for captured connections: a set of chains for each port, and the rest straight to the application. */
export function virtualInbound(
  scope: Scope,
  workload: WorkloadConfig,
  ports: readonly InboundPort[],
): Listener {
  const { name } = VIRTUAL_INBOUND;
  const { inbound: port, ipv6 } = workload.capturedAt ?? CAPTURED_AT;
  const declared = ports.map((one) => portMode(one, modeOf(scope, workload, one)));
  const own = new Set(declared.map(({ number }) => number));
  const undeclared = (number: number): PortMode => {
    const mode = mtlsMode(scope.view, workload, number);
    return { number, mode, tls: mode !== "DISABLE", http: mode !== "STRICT" };
  };
  const named = portsWithMode(scope.view, workload).filter((one) => !own.has(one));
  const known = [...declared, ...named.map(undeclared)];
  const rest = undeclared(0);
  const listener = Listener.fromPartial({
    name,
    address: capturedAddress(port, ipv6),
    trafficDirection: TrafficDirection.INBOUND,
    useOriginalDst: false,
    listenerFilters: [
      originalDestination,
      ...inspecting(tlsInspector, known, ({ tls }) => tls, rest.tls),
      ...inspecting(httpInspector, known, ({ http }) => http, rest.http),
    ],
    filterChains: [
      {
        name: `${name}-blackhole`,
        filterChainMatch: { destinationPort: port },
        filters: [tcpProxy(BLACK_HOLE_CLUSTER, [{ name: BLACK_HOLE_CLUSTER, weight: 1 }])],
      },
      ...ports.flatMap((one) => portChains(scope, workload, one, { destinationPort: one.bind.port })),
      ...[...named, rest.number].flatMap((one) => passthroughChains(scope, workload, one)),
    ],
  });
  const waits = ({ mode, http }: PortMode): boolean => mode === "PERMISSIVE" || http;
  return [...known, rest].some(waits) ? patient(listener, true) : listener;
}

/** How captured connections to a port come in, and what of their first bytes has to be looked at. */
interface PortMode {
  /** 0: all ports that are not known. */
  readonly number: number;
  readonly mode: EffectiveMtlsMode;
  readonly tls: boolean;
  readonly http: boolean;
}

function portMode({ bind, tls, protocol }: InboundPort, mode: EffectiveMtlsMode): PortMode {
  return {
    number: bind.port,
    mode,
    tls: tls !== undefined || mode !== "DISABLE",
    // Of mesh TLS the ALPN tells.
    http: protocol === "auto" && mode !== "STRICT",
  };
}

/** An inspector at those ports that need it, for it waits for bytes. `rest`: whether ports that are not declared do. */
function inspecting(
  inspector: ListenerFilter,
  ports: readonly PortMode[],
  needs: (port: PortMode) => boolean,
  rest: boolean,
): readonly ListenerFilter[] {
  const numbers = ports.filter((port) => needs(port) !== rest).map(({ number }) => number);
  const exceptions = anyOfPorts(numbers);
  if (exceptions === undefined) return rest ? [inspector] : [];
  return [{ ...inspector, filterDisabled: rest ? exceptions : { ...NO_PREDICATE, notMatch: exceptions } }];
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
  const http = isHttp(port.protocol);
  const filtersFor = portFilters(scope, workload, {
    listener: listenerName(port.bind.address, port.bind.port),
    cluster: inboundClusterName(port.number),
    routes: inboundRouteConfiguration(port.number, port.protocol),
    port: { app: port.app.port || port.number, inbound: port.bind.port },
  });
  const filters = filtersFor(http);
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
  const mode = modeOf(scope, workload, port);
  if (port.protocol === "auto") return detectedChains(scope, mode, { match, prefix, filtersFor });
  const alpn = { mesh: mode === "STRICT" ? [] : ALPN_ISTIO, plaintext: [] };
  return modeChains(scope, mode, { http, filters, match, prefix, alpn });
}

/**
 * What no port of the workload is for goes on to where it was going, under the same rules for peers. HTTP is told from
 * the rest by itself, so that its own rules hold and nobody's word for a peer's certificate is passed on. `port` is one
 * that a PeerAuthentication names; 0: all others.
 */
function passthroughChains(scope: Scope, workload: WorkloadConfig, port: number): FilterChain[] {
  const mode = mtlsMode(scope.view, workload, port);
  return detectedChains(scope, mode, {
    match: port === 0 ? {} : { destinationPort: port },
    prefix: `${VIRTUAL_INBOUND.name}-${port === 0 ? "catchall" : port}-`,
    filtersFor: portFilters(scope, workload, {
      listener: VIRTUAL_INBOUND.name,
      cluster: INBOUND_PASSTHROUGH_CLUSTER,
      routes: passthroughRouteConfiguration(),
      port: port === 0 ? undefined : { app: port, inbound: port },
    }),
  });
}

interface PortPlace {
  readonly listener: string;
  readonly cluster: string;
  readonly routes: RouteConfiguration;
  /** For policies that name ports; undefined: any. */
  readonly port: { readonly app: number; readonly inbound: number } | undefined;
}

/** What HTTP passes on its way to the application, and what other bytes do. */
function portFilters(scope: Scope, workload: WorkloadConfig, place: PortPlace): (http: boolean) => Filter[] {
  const { listener, cluster, routes, port } = place;
  return (http) =>
    http
      ? [httpFilter(scope, workload, listener, routes, httpGuards(scope, workload, port, NO_CLAIM_ROUTES))]
      : [...networkGuards(scope, workload, port), toApplication(scope, workload, cluster)];
}

interface DetectedChains extends Pick<ModeChains, "match" | "prefix"> {
  readonly filtersFor: (http: boolean) => readonly Filter[];
}

/** Chains where nobody says what is spoken: HTTP is told by the ALPN of mesh TLS, and by the first bytes of plaintext. */
function detectedChains(
  scope: Scope,
  mode: EffectiveMtlsMode,
  { match, prefix, filtersFor }: DetectedChains,
): FilterChain[] {
  const http = modeChains(scope, mode, {
    http: true,
    filters: filtersFor(true),
    match,
    prefix: `${prefix}http-`,
    alpn: { mesh: ALPN_ISTIO_HTTP, plaintext: ALPN_PLAIN_HTTP },
  });
  const rest = modeChains(scope, mode, {
    http: false,
    filters: filtersFor(false),
    match,
    prefix,
    alpn: { mesh: mode === "STRICT" ? [] : ALPN_ISTIO_TCP, plaintext: [] },
  });
  return [...http, ...rest];
}

function modeOf({ view }: Scope, workload: WorkloadConfig, port: InboundPort): EffectiveMtlsMode {
  return mtlsMode(view, workload, port.app.port || port.number);
}

function toApplication({ view }: Scope, workload: WorkloadConfig, cluster: string): Filter {
  const accessLog = tellsCalls(view, workload) ? [tcpCallLog] : [];
  return tcpProxy(cluster, [{ name: cluster, weight: 1 }], { accessLog });
}

function httpFilter(
  { view }: Scope,
  workload: WorkloadConfig,
  name: string,
  routeConfig: RouteConfiguration,
  guards: readonly HttpFilter[],
): Filter {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: `inbound_${name}`,
    routeConfig,
    // The middle two do nothing here: patches of Istio's users are placed beside them.
    httpFilters: [...guards, faultFilter, corsFilter, routerFilter],
    accessLog: tellsCalls(view, workload) ? [httpCallLog] : [],
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
  /** By which they are chosen, beside the transport; empty: by that alone. */
  readonly alpn: { readonly mesh: readonly string[]; readonly plaintext: readonly string[] };
}

/**
 * Istio's table of modes and protocols. Where both kinds of traffic are welcome the ALPN tells TLS of the mesh from the
 * application's own, which on a TCP port goes through as it is.
 */
function modeChains(
  { view }: Scope,
  mode: EffectiveMtlsMode,
  { http, filters, match, prefix, alpn }: ModeChains,
): FilterChain[] {
  const { mesh: settings } = view.settings;
  const mesh = FilterChain.fromPartial({
    name: `${prefix}mesh`,
    filterChainMatch: { ...match, transportProtocol: "tls", applicationProtocols: [...alpn.mesh] },
    transportSocket: meshServerSocket(
      trustDomainsOf(view.settings),
      http ? SERVER_ALPN.http : SERVER_ALPN.tcp,
      settings.meshMtls,
    ),
    filters: [...filters],
    ...(view.lastBanMs === 0 ? {} : { metadata: banMetadata(view.lastBanMs) }),
  });
  const passed = (
    name: string,
    transportProtocol: string,
    applicationProtocols: readonly string[],
  ): FilterChain =>
    FilterChain.fromPartial({
      name: `${prefix}${name}`,
      filterChainMatch: { ...match, transportProtocol, applicationProtocols: [...applicationProtocols] },
      filters: [...filters],
    });
  const plaintext = passed("plaintext", "raw_buffer", alpn.plaintext);
  switch (mode) {
    case "STRICT":
      return [mesh];
    case "DISABLE":
      return [plaintext];
    case "PERMISSIVE":
      return http ? [mesh, plaintext] : [mesh, passed("application-tls", "tls", []), plaintext];
    default:
      return mode satisfies never;
  }
}
