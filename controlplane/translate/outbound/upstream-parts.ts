import { normalizeHost } from "../../../mesh/model/hosts.ts";
import type { Service } from "../../../mesh/model/service.ts";
import type { SocketAddress, WorkloadId, WorkloadUpstream } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { listenerName, routeName } from "../../../mesh/xds/names.ts";
import { type Client, clientKey } from "../../policy/client.ts";
import { findService, upstreamPort } from "../../policy/services.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";
import { resource } from "../resource.ts";
import { foreignHostCovering } from "../routes/foreign-hosts.ts";
import type { RoutedHost } from "../routes/governed-host.ts";
import { outboundRouteConfiguration } from "../routes/route-configuration.ts";
import { routedForeignHost, routedHost } from "../routes/routed-host.ts";
import { clientsThrough, type EgressClass, egressScope } from "./egress-class.ts";
import { plannedListener } from "./planned-listener.ts";
import { blackHoleListener, upstreamHttpListener, upstreamTcpListener } from "./upstream-listener.ts";

interface UpstreamParts {
  readonly listener: EncodedResource;
  readonly routes: EncodedResource | undefined;
}

/** How calls to an upstream's host are routed, and the key of all that this depends on. */
interface RoutedUpstream {
  readonly key: string;
  readonly routed: (scope: Scope) => RoutedHost | undefined;
}

interface DetectedUpstream {
  readonly service: Service;
  readonly port: number;
  readonly routed: RoutedUpstream;
}

/**
 * What a declared upstream needs: a port of a service, or a host that only VirtualServices have. One that leads nowhere
 * (yet) takes connections and closes them.
 */
export function upstreamParts(
  scope: Scope,
  id: WorkloadId,
  of: EgressClass,
  { host, port: named, bind }: WorkloadUpstream,
): UpstreamParts {
  const service = findService(scope.view, host, of.client.namespace, of.client);
  const port = upstreamPort(service, named);
  const found = service?.ports.find(({ number }) => number === port);
  const through = service && listenerWith(scope, of, service.hostname);
  if (service !== undefined && found !== undefined && through !== undefined) {
    const client = clientsThrough(scope, of)[through] ?? of.client;
    const routed: RoutedUpstream = {
      key: clientKey(client),
      routed: (inner) => routedHost(inner, client, service.hostname, port),
    };
    if (isHttp(found.protocol)) return httpUpstream(scope, bind, service, port, routed);
    if (found.protocol === "auto") return detectedUpstream(scope, client, bind, { service, port, routed });
    return tcpUpstream(scope, client, bind, service, port, found.protocol === "tls");
  }
  const hostname = service?.hostname ?? normalizeHost(host);
  const foreign = foreignUpstream(scope, of, hostname, port);
  if (foreign !== undefined) {
    return httpUpstream(scope, bind, { hostname, resolution: "none" }, port, foreign);
  }
  const problem =
    service === undefined
      ? "there is no such service"
      : found === undefined
        ? `service ${service.hostname} has no such port`
        : `no egress of the Sidecar in force has ${service.hostname}`;
  scope.warn({
    subject: `Workload/${id}`,
    message: `upstream ${host}${named === 0 ? "" : `:${named}`} leads nowhere: ${problem}`,
  });
  const at = listenerName(bind.address, bind.port);
  const listener = resource(scope, `listener/${at}/black-hole`, Listener, () => blackHoleListener(bind));
  return { listener, routes: undefined };
}

function tcpUpstream(
  scope: Scope,
  client: Client,
  bind: SocketAddress,
  { hostname }: Service,
  port: number,
  tls: boolean,
): UpstreamParts {
  const key = `listener/${listenerName(bind.address, bind.port)}/${routeName(hostname, port)}/${clientKey(client)}`;
  const listener = resource(scope, key, Listener, (inner) =>
    upstreamTcpListener(inner, client, bind, { hostname, port, tls }),
  );
  return { listener, routes: undefined };
}

/** Nobody says what is spoken there, so each connection does. */
function detectedUpstream(
  scope: Scope,
  client: Client,
  bind: SocketAddress,
  { service: { hostname }, port, routed }: DetectedUpstream,
): UpstreamParts {
  const name = listenerName(bind.address, bind.port);
  const httpRoutes = routeName(hostname, port);
  const claim = { hostname, port, through: 0, tls: false, destinations: [], httpRoutes };
  const planned = { name, bind, binds: true, routeName: undefined, looksUpHosts: false, tcp: [claim] };
  const how = {
    planned,
    clients: [client],
    unknown: { calls: undefined, connections: undefined },
    onDemand: false,
    ipv6: false,
  };
  const key = `listener/${name}/${httpRoutes}/auto/${clientKey(client)}`;
  const listener = resource(scope, key, Listener, (inner) => plannedListener(inner, { client }, how));
  return { listener, routes: routesTo(scope, httpRoutes, routed) };
}

function httpUpstream(
  scope: Scope,
  bind: SocketAddress,
  service: Pick<Service, "hostname" | "resolution">,
  port: number,
  routed: RoutedUpstream,
): UpstreamParts {
  const name = routeName(service.hostname, port);
  const at = `listener/${listenerName(bind.address, bind.port)}/${name}/${service.resolution}`;
  return {
    listener: resource(scope, at, Listener, ({ view }) =>
      upstreamHttpListener(view.settings, bind, service, port),
    ),
    routes: routesTo(scope, name, routed),
  };
}

function routesTo(scope: Scope, name: string, { key, routed }: RoutedUpstream): EncodedResource {
  return resource(scope, `route/${name}/${key}`, RouteConfiguration, (inner) =>
    outboundRouteConfiguration(name, routed(inner)),
  );
}

/** Undefined: no VirtualService that counts here has a route for the host. */
function foreignUpstream(
  scope: Scope,
  of: EgressClass,
  host: string,
  port: number,
): RoutedUpstream | undefined {
  for (const client of clientsThrough(scope, of)) {
    const pattern = foreignHostCovering(scope.view, client, host, port);
    if (pattern === undefined || routedForeignHost(scope, client, pattern, port) === undefined) continue;
    return {
      key: `${pattern}/${clientKey(client)}`,
      routed: (inner) => routedForeignHost(inner, client, pattern, port),
    };
  }
  return undefined;
}

/**
 * The listener of the scope that has a service. What may be called at all is decided by visibility; only a Sidecar narrows
 * that: undefined.
 */
function listenerWith(scope: Scope, of: EgressClass, hostname: string): number | undefined {
  if (of.source.kind !== "sidecar") return 0;
  const index = egressScope(scope, of).listeners.findIndex(({ hosts }) => hosts.includes(hostname));
  return index < 0 ? undefined : index;
}
