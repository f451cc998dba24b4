import type { ServerTls } from "../../../mesh/model/gateway.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import {
  type Filter,
  FilterChain,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { BLACK_HOLE_CLUSTER } from "../../../mesh/xds/names.ts";
import { type BoundServer, passesOn } from "../../policy/gateways.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { byText } from "../../snapshot/text-order.ts";
import { configMetadata } from "../config-metadata.ts";
import { duration } from "../durations.ts";
import { tcpProxy } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { SERVER_ALPN } from "../tls/mesh-tls.ts";
import { autoPassthroughChains } from "./auto-passthrough.ts";
import { missingCredential } from "./credentials.ts";
import type { GatewayClass } from "./gateway-class.ts";
import { httpFilter, tcpFilters } from "./gateway-filters.ts";
import { tcpTargets, tlsTargets } from "./layer4-targets.ts";
import { serverTlsSocket } from "./server-tls.ts";

/** A caller that has not shown who it is must not hold a connection; as long as Istio lets it. */
const LONGEST_HANDSHAKE_MS = 15_000;

/** Connections that a server takes, and what becomes of them. */
export interface ServerChain {
  /** Empty: any. */
  readonly serverNames: readonly string[];
  readonly alpn: readonly string[];
  /** Without a match. */
  readonly chain: FilterChain;
  /** Takes connections only to close them. */
  readonly closes?: boolean;
}

/** The chains of one server of a listener that speaks TLS. */
export function tlsServerChains(scope: Scope, of: GatewayClass, bound: BoundServer): readonly ServerChain[] {
  const { server } = bound;
  const { tls } = server;
  if (tls === undefined) return [];
  if (tls.mode === "AUTO_PASSTHROUGH") return autoPassthroughChains(scope, of, bound);
  if (passesOn(tls)) return passthroughChains(scope, of, bound);
  const serverNames = serverNamesOf(bound);
  const missing = missingCredential(scope, of.client.namespace, tls);
  if (missing !== undefined) {
    scope.warn({
      subject: keyOf(bound.gateway),
      message: `${where(bound)} takes no connections: ${missing}`,
    });
    // Without a chain for these names another server's wildcard would take what was meant to be verified here.
    return serverNames.length === 0
      ? []
      : [{ serverNames, alpn: [], chain: chainOf(bound.gateway, [closing]), closes: true }];
  }
  const chain = serverChain(scope, of, bound);
  if (chain === undefined) return [];
  const transportSocket = serverTlsSocket(scope, tls, alpnOf(bound, tls));
  const timeout = { transportSocketConnectTimeout: duration(LONGEST_HANDSHAKE_MS) };
  return [{ serverNames, alpn: [], chain: { ...chain, transportSocket, ...timeout } }];
}

/**
 * What a server does with a connection, once TLS is off where there is any: HTTP, or bytes that are handed on. Undefined,
 * with a warning, when no VirtualService says where to.
 */
export function serverChain(scope: Scope, of: GatewayClass, bound: BoundServer): FilterChain | undefined {
  if (bound.routeName !== undefined) {
    return chainOf(bound.gateway, [httpFilter(scope, of, bound, bound.routeName)]);
  }
  const targets = tcpTargets(scope, of, bound);
  if (targets !== undefined) {
    return chainOf(targets.virtualService, tcpFilters(scope, of, bound, targets));
  }
  scope.warn({
    subject: keyOf(bound.gateway),
    message: `${where(bound)} takes no connections: no VirtualService of it has a TCP route for port ${bound.server.port.number}`,
  });
  return undefined;
}

function passthroughChains(scope: Scope, of: GatewayClass, bound: BoundServer): readonly ServerChain[] {
  return tlsTargets(scope, of, bound).map(({ virtualService, serverNames, ...targets }) => ({
    serverNames,
    alpn: [],
    chain: chainOf(virtualService, tcpFilters(scope, of, bound, targets)),
  }));
}

/** `decides`: what says where the connection goes on; for HTTP that is up to the routes. */
function chainOf(decides: StoredObject, filters: readonly Filter[]): FilterChain {
  return FilterChain.fromPartial({ filters: [...filters], metadata: configMetadata(decides) });
}

/** Istio offers HTTP's names for bytes too, except to peers of the mesh. */
function alpnOf({ routeName }: BoundServer, { mode }: ServerTls): readonly string[] {
  return routeName === undefined && mode === "ISTIO_MUTUAL" ? SERVER_ALPN.tcp : SERVER_ALPN.http;
}

/** Names by which clients choose the server; none for `*`. */
function serverNamesOf({ hosts }: BoundServer): readonly string[] {
  const names = new Set(hosts.map(({ host }) => host.toLowerCase()));
  return names.has("*") ? [] : [...names].sort(byText);
}

export function where({ gateway, server }: BoundServer): string {
  return `spec.servers[${gateway.spec.servers.indexOf(server)}]`;
}

/** Takes connections and closes them. */
const closing = tcpProxy(BLACK_HOLE_CLUSTER, [{ name: BLACK_HOLE_CLUSTER, weight: 1 }]);
