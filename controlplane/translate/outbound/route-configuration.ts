import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { DYNAMIC_DNS_CLUSTER } from "../../../mesh/xds/names.ts";
import { type Client, routingKey } from "../../policy/client.ts";
import type { EncodedResource } from "../../xds/config-source.ts";
import { encodedResource } from "../encode.ts";
import type { Scope } from "../memo.ts";
import { plainForward } from "../routes/route-action.ts";
import { LONGEST_DIRECT_RESPONSE, outboundRouteConfiguration } from "../routes/route-configuration.ts";
import { routedForeignHost, routedHost } from "../routes/routed-host.ts";
import type { RoutedHost } from "../routes/virtual-host.ts";
import type { EgressClass } from "./egress-class.ts";
import { HTTP_PROXY_ROUTES, type PlannedRoutes, type ServicePlace } from "./egress-plan.ts";
import { foreignHostsAt, foreignHostsFor } from "./foreign-hosts.ts";

/** What becomes of what no service and no VirtualService is for, by the cluster that takes it. */
export interface UnknownHosts {
  /** HTTP calls; undefined: they are answered 502. */
  readonly calls: string | undefined;
  /** Other connections; undefined: they are closed. */
  readonly connections: string | undefined;
}

/** Hosts by port, as clients call them through one listener of their scope. */
export interface ForeignPlaces {
  readonly through: number;
  readonly places: readonly (readonly [port: number, hosts: readonly string[]])[];
}

/** What the routes of a port are built from beside its services: few changes of a mesh change it. */
export interface PortRoutes {
  readonly planned: PlannedRoutes;
  readonly foreign: readonly ForeignPlaces[];
  /** The class as clients, by the `through` of places. */
  readonly clients: readonly Client[];
  readonly unknown: UnknownHosts;
}

/** Field 2 of RouteConfiguration, length-delimited. */
const VIRTUAL_HOSTS_TAG = (2 << 3) | 2;

interface EncodedHost {
  readonly virtualHost: VirtualHost;
  readonly bytes: Uint8Array;
}

/**
 * All virtual hosts of one port, put together from parts that are encoded one by one: a change of one host costs that
 * host and a copy. When two hosts claim a domain, the older service has it.
 */
export function portRouteConfiguration(
  scope: Scope,
  of: EgressClass,
  { planned, foreign, clients, unknown }: PortRoutes,
): EncodedResource {
  const proxied = planned.name === HTTP_PROXY_ROUTES;
  const hosts = planned.places.map(({ hostname, port, through }) =>
    encodedHost(scope, clients[through] ?? of.client, { hostname, port }, proxied),
  );
  for (const { through, places } of foreign) {
    hosts.push(...encodedForeignHosts(scope, clients[through] ?? of.client, places, proxied));
  }
  const writer = new BinaryWriter();
  writer.raw(
    RouteConfiguration.encode(
      RouteConfiguration.fromPartial({
        name: planned.name,
        validateClusters: false,
        ignorePortInHostMatching: !proxied,
        maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
      }),
    ).finish(),
  );
  const taken = new Set<string>();
  for (const { virtualHost, bytes } of hosts) {
    const { domains } = virtualHost;
    const free = domains.filter((domain) => !taken.has(domain));
    for (const domain of free) taken.add(domain);
    if (free.length === 0) continue;
    const asItIs = free.length === domains.length;
    writer
      .uint32(VIRTUAL_HOSTS_TAG)
      .bytes(asItIs ? bytes : VirtualHost.encode({ ...virtualHost, domains: free }).finish());
  }
  const rest = VirtualHost.encode(unknownHost(unknown)).finish();
  return encodedResource(planned.name, writer.uint32(VIRTUAL_HOSTS_TAG).bytes(rest).finish());
}

/** The routes of one place, at an address that is its own. */
export function placeRouteConfiguration(
  scope: Scope,
  of: EgressClass,
  { name, places }: PlannedRoutes,
  clients: readonly Client[],
): EncodedResource {
  const [routed] = places.map(({ hostname, port, through }) =>
    routedHost(scope, clients[through] ?? of.client, hostname, port),
  );
  return encodedResource(name, RouteConfiguration.encode(outboundRouteConfiguration(name, routed)).finish());
}

function encodedHost(
  scope: Scope,
  client: Client,
  { hostname, port }: Pick<ServicePlace, "hostname" | "port">,
  proxied: boolean,
): EncodedHost {
  const key = `${hostKind("virtual-host", proxied)}/${hostname}:${port}/${routingKey(client)}`;
  return scope.get(key, (inner) => encoded(routedHost(inner, client, hostname, port), proxied));
}

/** The hosts that only VirtualServices have, at the port of these routes, or at each when they are of several. */
export function foreignPlaces(
  scope: Scope,
  of: EgressClass,
  { through, port }: PlannedRoutes,
  clients: readonly Client[],
): readonly ForeignPlaces[] {
  return through.map((index) => {
    const client = clients[index] ?? of.client;
    const places =
      port === undefined
        ? [...foreignHostsFor(scope, of, client)]
        : [[port, foreignHostsAt(scope, of, client, port)] as const];
    return { through: index, places };
  });
}

/** Without those that VirtualServices have no route for. */
function encodedForeignHosts(
  scope: Scope,
  client: Client,
  places: ForeignPlaces["places"],
  proxied: boolean,
): readonly EncodedHost[] {
  return places.flatMap(([at, hosts]) =>
    hosts.flatMap((host) =>
      scope.get(`${hostKind("foreign-host", proxied)}/${host}:${at}/${routingKey(client)}`, (inner) => {
        const routed = routedForeignHost(inner, client, host, at);
        return routed === undefined ? [] : [encoded(routed, proxied)];
      }),
    ),
  );
}

/** What a forward proxy has is an entry of its own. */
function hostKind(kind: string, proxied: boolean): string {
  return proxied ? `proxied-${kind}` : kind;
}

function encoded({ virtualHost: routed }: RoutedHost, proxied: boolean): EncodedHost {
  const virtualHost = proxied ? { ...routed, domains: [...withPorts(routed)] } : routed;
  return { virtualHost, bytes: VirtualHost.encode(virtualHost).finish() };
}

/** A forward proxy is told the port in the host header; port 80 may be left out. */
function withPorts({ name, domains }: VirtualHost): readonly string[] {
  const port = name.slice(name.lastIndexOf(":") + 1);
  const full = domains.map((domain) => `${domain}:${port}`);
  return port === "80" ? [...domains, ...full] : full;
}

/** Answers for what no service is for. */
export function unknownHost({ calls }: UnknownHosts): VirtualHost {
  const name = nameOf(calls);
  const route = Route.fromPartial({
    name,
    match: { prefix: "/" },
    ...(calls === undefined ? { directResponse: { status: 502 } } : { route: plainForward(calls) }),
  });
  return VirtualHost.fromPartial({ name, domains: ["*"], routes: [route], includeRequestAttemptCount: true });
}

/** Istio's names for what becomes of unknown hosts. */
function nameOf(cluster: string | undefined): string {
  if (cluster === undefined) return "block_all";
  return cluster === DYNAMIC_DNS_CLUSTER ? "allow_any_dynamic_dns" : "allow_any";
}
