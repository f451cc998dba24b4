import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { DYNAMIC_DNS_CLUSTER, PASSTHROUGH_CLUSTER } from "../../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { type Client, clientKey } from "../../policy/client.ts";
import type { EgressScope } from "../../policy/egress-scope.ts";
import { serviceFor } from "../../policy/services.ts";
import { checkReferences } from "../check-references.ts";
import { blackHoleCluster, dynamicDnsCluster, passthroughCluster } from "../clusters/fixed-clusters.ts";
import { clustersOf } from "../clusters/service-clusters.ts";
import { clusterOf, resolveDestination } from "../destinations.ts";
import { contentKey } from "../encode.ts";
import { assignmentsOf } from "../endpoints/service-assignments.ts";
import { clientCredentials } from "../gateway/credentials.ts";
import type { Scope } from "../memo.ts";
import { resource, sameMap, sameResource } from "../resource.ts";
import { clusterHosts } from "./cluster-hosts.ts";
import { clientsThrough, type EgressClass, egressScope } from "./egress-class.ts";
import { type EgressPlan, type PlannedListener, type PlannedRoutes, planEgress } from "./egress-plan.ts";
import { hostNames } from "./host-names.ts";
import { onDemandRouteConfiguration } from "./on-demand.ts";
import { plannedListener } from "./planned-listener.ts";
import {
  type ForeignPlaces,
  foreignPlaces,
  placeRouteConfiguration,
  portRouteConfiguration,
  type UnknownHosts,
} from "./route-configuration.ts";
import { virtualOutbound } from "./virtual-outbound.ts";

type Resources = SharedMap<EncodedResource>;

/** What the workloads of a class share, by type. Every map is an entry of its own: a change renews those that it is in. */
export function egressMap(scope: Scope, of: EgressClass, type: TypeUrl): Resources {
  switch (type) {
    case TYPE_URL.cluster:
      return clusters(scope, of);
    case TYPE_URL.endpoints:
      return assignments(scope, of);
    case TYPE_URL.listener:
      return listeners(scope, listeningClass(of));
    case TYPE_URL.route:
      return routes(scope, listeningClass(of));
    case TYPE_URL.secret:
      return secrets(scope, of);
    case TYPE_URL.hostName:
      return hostNames(scope, listeningClass(of), listenedFor(scope, listeningClass(of)));
    default:
      return NONE;
  }
}

/** Throws when what a class shares is not consistent in itself. Looks only at what has changed since it last was. */
export function checkEgress(scope: Scope, of: EgressClass): void {
  scope.get<ReadonlyMap<TypeUrl, Resources>>(`egress-checked/${of.key}`, (inner, before) => {
    const types = new Map(SHARED_TYPES.map((type) => [type, egressMap(inner, of, type)]));
    checkReferences(types, before);
    return types;
  });
}

const NONE: Resources = SharedMap.empty();

const SHARED_TYPES: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.listener,
  TYPE_URL.route,
];

function clusters(scope: Scope, of: EgressClass): Resources {
  const build = (inner: Scope): Resources => {
    const services = inner.collect(
      `service-clusters/${of.key}`,
      clusterHosts(inner, of),
      (member, hostname) => byName(clustersOf(member, of.client, hostname)),
    );
    const fixed = [
      resource(inner, "cluster/black-hole", Cluster, blackHoleCluster),
      ...(of.ways.captured !== undefined
        ? [resource(inner, "cluster/passthrough", Cluster, passthroughCluster)]
        : []),
      ...(listensGenerally(of) && unknownHosts(inner, of).calls === DYNAMIC_DNS_CLUSTER
        ? [resource(inner, "cluster/dynamic-dns", Cluster, dynamicDnsCluster)]
        : []),
    ];
    return services.edited(byName(fixed));
  };
  return scope.get(`clusters/${of.key}`, build, sameMap);
}

function assignments(scope: Scope, of: EgressClass): Resources {
  return scope.collect(`assignments/${of.key}`, clusterHosts(scope, of), (member, hostname) =>
    byName(assignmentsOf(member, of.client, hostname)),
  );
}

function listeners(scope: Scope, of: EgressClass): Resources {
  const build = (inner: Scope): Resources => {
    const clients = clientsThrough(inner, of);
    const unknown = unknownHosts(inner, of);
    const shared = sharedKey(of, clients, unknown);
    const parts = listenerPlan(inner, of).listeners;
    const services = inner.collect(`service-listeners/${shared}`, [...parts.keys()], (member, content) => {
      const planned = parts.get(content);
      if (planned === undefined) return NONE;
      const how = {
        planned,
        clients,
        unknown,
        onDemand: isOnDemand(of),
        ipv6: of.ways.captured?.ipv6 ?? false,
      };
      return byName([
        resource(member, `listener/${shared}/${content}`, Listener, (own) => plannedListener(own, of, how)),
      ]);
    });
    const at = of.ways.captured;
    if (at === undefined) return services;
    const virtual = resource(inner, `listener/virtual-outbound/${of.key}`, Listener, (own) =>
      virtualOutbound(own.view.settings, at, unknownHosts(own, of), () => capturedTcpPorts(own, of)),
    );
    return services.edited(byName([virtual]));
  };
  return scope.get(`listeners/${of.key}`, build, sameMap);
}

function routes(scope: Scope, of: EgressClass): Resources {
  return scope.get(`routes/${of.key}`, (inner) => {
    const clients = clientsThrough(inner, of);
    const unknown = unknownHosts(inner, of);
    const shared = sharedKey(of, clients, unknown);
    const parts = new Map(
      [...listenerPlan(inner, of).routes].map(([content, planned]) => {
        const foreign = foreignIn(inner, of, planned, clients);
        return [`${content}${contentKey(foreign)}`, { planned, foreign }] as const;
      }),
    );
    return inner.collect(`service-routes/${shared}`, [...parts.keys()], (member, content) => {
      const part = parts.get(content);
      if (part === undefined) return NONE;
      const build = (own: Scope): EncodedResource => {
        if (part.planned.anyHost) return placeRouteConfiguration(own, of, part.planned, clients);
        if (isOnDemand(of)) return onDemandRouteConfiguration(part.planned);
        return portRouteConfiguration(own, of, { ...part, clients, unknown });
      };
      return byName([member.get(`route/${shared}/${content}`, build, sameResource)]);
    });
  });
}

function foreignIn(
  scope: Scope,
  of: EgressClass,
  planned: PlannedRoutes,
  clients: readonly Client[],
): readonly ForeignPlaces[] {
  return planned.anyHost || isOnDemand(of) ? [] : foreignPlaces(scope, of, planned, clients);
}

/** A class's, with what all its listeners and routes have in common. */
function sharedKey({ key }: EgressClass, clients: readonly Client[], unknown: UnknownHosts): string {
  return `${key}/${contentKey([unknown, clients.map(({ imports }) => imports)])}`;
}

/**
 * A plan's parts as members of collections, under names that change with their content: a service that comes or goes leaves
 * what is built from the others as it is.
 */
interface ListenerPlan {
  readonly listeners: ReadonlyMap<string, PlannedListener>;
  readonly routes: ReadonlyMap<string, PlannedRoutes>;
}

function byContent<T extends { readonly name: string }>(parts: Iterable<T>): ReadonlyMap<string, T> {
  return new Map([...parts].map((part) => [`${part.name}#${contentKey(part)}`, part]));
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}

/** Credentials that DestinationRules name for calls of these clients. */
function secrets(scope: Scope, of: EgressClass): Resources {
  return scope.get(
    `secrets/${of.key}`,
    (inner) => {
      const all = inner.collect(`secrets-of/${of.key}`, clusterHosts(inner, of), (member, hostname) => {
        const own = clientCredentials(member, of.client, [hostname]);
        return new Map(own.length === 0 ? [] : [[hostname, own] as const]);
      });
      return SharedMap.of(byName([...all.values()].flat()));
    },
    sameMap,
  );
}

function listenerPlan(scope: Scope, of: EgressClass): ListenerPlan {
  return scope.get(
    `listener-plan/${of.key}`,
    (inner) => {
      const plan = listensGenerally(of)
        ? planEgress(listenedFor(inner, of), of.ways, (host) => serviceFor(inner.view, host, of.client), {
            onDemand: isOnDemand(of),
          })
        : NOTHING_PLANNED;
      for (const { hostname, message } of plan.conflicts)
        inner.warn({ subject: `Service/${hostname}`, message });
      return { listeners: byContent(plan.listeners.values()), routes: byContent(plan.routes.values()) };
    },
    (a, b) => sameKeys(a.listeners, b.listeners) && sameKeys(a.routes, b.routes),
  );
}

/** Where listeners for captured connections take what is not HTTP. */
function capturedTcpPorts(scope: Scope, of: EgressClass): readonly number[] {
  const all = [...listenerPlan(scope, of).listeners.values()];
  const ports = all.filter(({ binds, tcp }) => !binds && tcp.length > 0).map(({ bind }) => bind.port);
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Otherwise declared upstreams are the only way out, and these are a workload's own. */
function listensGenerally({ ways: { captured, vips, httpProxy }, source }: EgressClass): boolean {
  return captured !== undefined || vips !== "none" || httpProxy !== undefined || source.kind !== "hosts";
}

function isOnDemand({ source }: EgressClass): boolean {
  return source.kind === "hosts" && source.onDemand;
}

/**
 * Whose listeners and routes a class has. Of what is asked for on demand they do not depend on what has been called: a
 * listener that changed with it would drain the very connection that asks.
 */
function listeningClass(of: EgressClass): EgressClass {
  const { client, ways } = of;
  if (!isOnDemand(of)) return of;
  return {
    key: `on-demand/${JSON.stringify(ways)}/${clientKey(client)}`,
    client,
    source: { kind: "hosts", hosts: [], foreign: [], onDemand: true },
    ways,
  };
}

/** Calls have to come in to be seen: they are listened for as if all of the mesh were in scope. */
function listenedFor(scope: Scope, of: EgressClass): EgressScope {
  return isOnDemand(of) ? egressScope(scope, { ...of, source: { kind: "mesh" } }) : egressScope(scope, of);
}

const NOTHING_PLANNED: EgressPlan = { listeners: new Map(), routes: new Map(), conflicts: [] };

/** Where calls go that no service is for: on, where that is known and allowed. */
export function unknownHosts(scope: Scope, of: EgressClass): UnknownHosts {
  const { mode, egressProxy } = egressScope(scope, of).outboundTrafficPolicy;
  if (mode === "REGISTRY_ONLY" || of.client.role === "gateway") return to(undefined);
  if (egressProxy !== undefined) {
    const proxy = resolveDestination(scope.view, of.client, egressProxy, of.client.namespace, 0);
    if (proxy.kind === "missing" && of.source.kind === "sidecar") {
      const message = `spec.outboundTrafficPolicy.egressProxy: ${proxy.reason}; calls to unknown hosts fail`;
      scope.warn({ subject: of.source.key, message });
    }
    return to(clusterOf(proxy));
  }
  const onward = of.ways.captured === undefined ? undefined : PASSTHROUGH_CLUSTER;
  return mode === "ALLOW_ANY" ? to(onward) : { calls: DYNAMIC_DNS_CLUSTER, connections: onward };
}

function to(cluster: string | undefined): UnknownHosts {
  return { calls: cluster, connections: cluster };
}

function byName(resources: readonly EncodedResource[]): ReadonlyMap<string, EncodedResource> {
  return new Map(resources.map((one) => [one.name, one]));
}
