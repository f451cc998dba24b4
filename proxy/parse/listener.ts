import { TrafficDirection } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener as ListenerMessage } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  FilterChainMatch as FilterChainMatchMessage,
  FilterChain as FilterChainMessage,
  Filter as FilterMessage,
} from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { RBAC as NetworkRbac } from "../../mesh/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import type {
  FilterChain,
  FilterChainMatch,
  HttpConnectionManager,
  Inspection,
  Listener,
  TcpProxy,
} from "../model/listener.ts";
import type { RbacFilter } from "../model/rbac.ts";
import type { DownstreamTls } from "../model/tls.ts";
import { parseAccessLogs } from "./access-log.ts";
import { parseHttpConnectionManager } from "./http-connection-manager.ts";
import { parsePortRule } from "./port-rule.ts";
import { parseRbacFilter } from "./rbac.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { parseTcpProxy } from "./tcp-proxy.ts";
import { parseDownstreamTls } from "./tls.ts";
import { RAW_BUFFER_TYPE } from "./transport.ts";
import { anyType, cidr, decode, listenedAddress, milliseconds, socketPath } from "./values.ts";

const HCM_TYPE = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const TCP_PROXY_TYPE = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const NETWORK_RBAC_TYPE = "envoy.extensions.filters.network.rbac.v3.RBAC";
const NETWORK_EXT_AUTHZ_TYPE = "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz";
const DOWNSTREAM_TLS_TYPE = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const HTTP_INSPECTOR_TYPE = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";
const ORIGINAL_DST_TYPE = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
const TLS_INSPECTOR_TYPE = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

/** Envoy's default. 0 means "for ever" there; here a silent connection never holds a descriptor for ever. */
const DEFAULT_INSPECT_TIMEOUT_MS = 15_000;

/** Envoy has none. */
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 5_000;

export function parseListener(bytes: Uint8Array, name: string): Listener {
  const where = `listener ${name}`;
  const from = decode(where, ListenerMessage, bytes);
  onlyFields(where, from, [
    "name",
    "address",
    "statPrefix",
    "filterChains",
    "defaultFilterChain",
    "listenerFilters",
    "listenerFiltersTimeout",
    "continueOnListenerFiltersTimeout",
    "trafficDirection",
    "bindToPort",
    "useOriginalDst",
    "metadata",
    "accessLog",
    "perConnectionBufferLimitBytes",
    "enableReusePort",
    "drainType",
  ]);
  parseAccessLogs(where, from.accessLog);
  const chains = from.filterChains.map((chain, index) =>
    parseChain(where, chain, chain.name || String(index)),
  );
  if (chains.length === 0 && !from.defaultFilterChain) throw invalid(where, "no filter chains");
  return {
    name,
    ...parsePlace(where, from, chains),
    direction: parseDirection(from),
    binds: from.bindToPort ?? true,
    ...parseListenerFilters(where, from),
    inspectTimeoutMs: milliseconds(from.listenerFiltersTimeout, 0) || DEFAULT_INSPECT_TIMEOUT_MS,
    continueAfterInspectTimeout: from.continueOnListenerFiltersTimeout,
    chains,
    defaultChain: from.defaultFilterChain && parseChain(where, from.defaultFilterChain, "default"),
  };
}

function parsePlace(
  where: string,
  { address }: ListenerMessage,
  chains: readonly FilterChain[],
): Pick<Listener, "address" | "port" | "ipv4Compat"> {
  const path = socketPath(where, address);
  if (path === undefined) return listenedAddress(where, address);
  if (chains.some(({ tls }) => tls !== undefined)) throw unsupported(where, "TLS on a unix socket");
  return { address: path, port: 0, ipv4Compat: false };
}

function parseDirection(from: ListenerMessage): Listener["direction"] {
  if (from.trafficDirection === TrafficDirection.INBOUND) return "inbound";
  return from.trafficDirection === TrafficDirection.OUTBOUND ? "outbound" : "unspecified";
}

function parseListenerFilters(
  where: string,
  from: ListenerMessage,
): Pick<Listener, "captured" | "inspectTls" | "inspectHttp"> {
  let captured: Listener["captured"] = from.useOriginalDst ? "hand-over" : undefined;
  let inspectTls: Inspection = false;
  let inspectHttp: Inspection = false;
  for (const filter of from.listenerFilters) {
    const at = `${where}: listener filter "${filter.name}"`;
    onlyFields(at, filter, ["name", "typedConfig", "filterDisabled"]);
    const unless = filter.filterDisabled && parsePortRule(at, filter.filterDisabled);
    switch (anyType(filter.typedConfig)) {
      case TLS_INSPECTOR_TYPE:
        inspectTls = { unless };
        break;
      case HTTP_INSPECTOR_TYPE:
        inspectHttp = { unless };
        break;
      case ORIGINAL_DST_TYPE:
        if (unless) throw unsupported(at, "filter_disabled");
        captured ??= "keep";
        break;
      default:
        throw unsupported(where, `listener filter "${filter.name}"`);
    }
  }
  return { captured, inspectTls, inspectHttp };
}

function parseChain(parent: string, from: FilterChainMessage, name: string): FilterChain {
  const where = `${parent}: filter chain "${name}"`;
  onlyFields(where, from, [
    "name",
    "filterChainMatch",
    "filters",
    "transportSocket",
    "transportSocketConnectTimeout",
    "metadata",
  ]);
  const terminal = from.filters.at(-1);
  if (terminal === undefined) throw invalid(where, "no filters");
  return {
    name,
    match: parseMatch(where, from.filterChainMatch),
    tls: parseTls(where, from),
    rbac: parseNetworkGuards(parent, from.filters.slice(0, -1)),
    terminal: parseTerminal(parent, terminal),
  };
}

function parseMatch(where: string, from: FilterChainMatchMessage | undefined): FilterChainMatch {
  if (from) {
    onlyFields(`${where}: match`, from, [
      "destinationPort",
      "prefixRanges",
      "sourcePrefixRanges",
      "serverNames",
      "transportProtocol",
      "applicationProtocols",
    ]);
  }
  const transport = from?.transportProtocol ?? "";
  if (transport !== "" && transport !== "tls" && transport !== "raw_buffer") {
    throw unsupported(where, `transport protocol "${transport}"`);
  }
  return {
    destinationPort: from?.destinationPort,
    prefixRanges: (from?.prefixRanges ?? []).map((range) => cidr(where, range)),
    sourceRanges: (from?.sourcePrefixRanges ?? []).map((range) => cidr(where, range)),
    serverNames: (from?.serverNames ?? []).map((serverName) => serverName.toLowerCase()),
    transport: transport === "" ? undefined : transport,
    alpn: from?.applicationProtocols ?? [],
  };
}

function parseTls(where: string, from: FilterChainMessage): DownstreamTls | undefined {
  const socket = from.transportSocket;
  if (socket?.typedConfig === undefined) return undefined;
  const type = anyType(socket.typedConfig);
  if (type === RAW_BUFFER_TYPE) return undefined;
  if (type !== DOWNSTREAM_TLS_TYPE) throw unsupported(where, `transport socket "${socket.name}"`);
  return {
    ...parseDownstreamTls(`${where}: transport socket "${socket.name}"`, socket.typedConfig.value),
    handshakeTimeoutMs: milliseconds(from.transportSocketConnectTimeout, 0) || DEFAULT_HANDSHAKE_TIMEOUT_MS,
  };
}

/**
 * An authorizer of connections speaks gRPC, which this proxy cannot: what the rules before it say it would be asked about
 * is refused, which is what the policy does while its authorizer is away.
 */
function parseNetworkGuards(listener: string, filters: readonly FilterMessage[]): readonly RbacFilter[] {
  const guards: RbacFilter[] = [];
  for (const filter of filters) {
    if (anyType(filter.typedConfig) !== NETWORK_EXT_AUTHZ_TYPE) {
      guards.push(parseNetworkRbac(listener, filter));
      continue;
    }
    const asked = guards.pop();
    if (asked?.enforced !== undefined || asked?.shadow === undefined)
      throw unsupported(listener, `network filter "${filter.name}" without rules before it`);
    guards.push({ ...asked, enforced: asked.shadow, shadow: undefined });
  }
  return guards;
}

function parseNetworkRbac(listener: string, filter: FilterMessage): RbacFilter {
  if (filter.typedConfig === undefined || anyType(filter.typedConfig) !== NETWORK_RBAC_TYPE) {
    throw unsupported(listener, `network filter "${filter.name}"`);
  }
  const where = `${listener}: network filter "${filter.name}"`;
  const from = decode(where, NetworkRbac, filter.typedConfig.value);
  onlyFields(where, from, ["rules", "shadowRules", "shadowRulesStatPrefix", "statPrefix"]);
  return parseRbacFilter(where, from);
}

function parseTerminal(listener: string, filter: FilterMessage): HttpConnectionManager | TcpProxy {
  const config = filter.typedConfig;
  const type = anyType(config);
  if (config && type === HCM_TYPE) return parseHttpConnectionManager(listener, config.value);
  if (config && type === TCP_PROXY_TYPE) return parseTcpProxy(listener, config.value);
  throw unsupported(listener, `network filter "${filter.name}"`);
}
