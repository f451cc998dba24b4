import { type Client, routingKey } from "../../policy/client.ts";
import { serviceFor } from "../../policy/services.ts";
import type { ServiceDestination } from "../destinations.ts";
import type { Scope } from "../memo.ts";
import { isHttp, mayBeHttp } from "../protocols.ts";
import { type Layer4Place, layer4Routes, type RoutedConnections } from "./layer4-routes.ts";
import { foreignVirtualHost, type RoutedHost, serviceVirtualHost } from "./virtual-host.ts";

/** `serviceVirtualHost` from the memo, for clusters, routes and listeners alike. */
export function routedHost(scope: Scope, client: Client, hostname: string, port: number): RoutedHost {
  const key = `routed-host/${hostname}:${port}/${routingKey(client)}`;
  return scope.get<RoutedHost>(key, (inner) => serviceVirtualHost(inner, client, hostname, port));
}

/** The same of a host that only VirtualServices have at a port; undefined: none that counts for the client has routes there. */
export function routedForeignHost(
  scope: Scope,
  client: Client,
  host: string,
  port: number,
): RoutedHost | undefined {
  return scope.get<RoutedHost | undefined>(
    `routed-foreign-host/${host}:${port}/${routingKey(client)}`,
    (inner) => foreignVirtualHost(inner, client, host, port),
  );
}

/** The same of connections to a port that speaks no HTTP. */
export function routedConnections(scope: Scope, client: Client, place: Layer4Place): RoutedConnections {
  const { hostname, port, tls } = place;
  const key = `routed-${tls ? "tls" : "tcp"}/${hostname}:${port}/${routingKey(client)}`;
  return scope.get<RoutedConnections>(key, (inner) => layer4Routes(inner, client, place));
}

/**
 * Where the calls of a client to a port of a service lead, by whatever protocol it speaks: to what these are of, the client
 * needs clusters. The service itself is among them only when a route leads there.
 */
export function destinationsOf(
  scope: Scope,
  client: Client,
  hostname: string,
  port: number,
): readonly ServiceDestination[] {
  const protocol = serviceFor(scope.view, hostname, client)?.ports.find(
    ({ number }) => number === port,
  )?.protocol;
  if (protocol === undefined) return [];
  const calls = mayBeHttp(protocol) ? routedHost(scope, client, hostname, port).destinations : [];
  if (isHttp(protocol)) return calls;
  const place = { hostname, port, tls: protocol === "tls" };
  const connections = routedConnections(scope, client, place).routes;
  return [...calls, ...connections.flatMap(({ destinations }) => destinations)];
}
