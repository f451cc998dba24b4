import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { DYNAMIC_DNS_CLUSTER, PASSTHROUGH_CLUSTER } from "../../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { clientKey } from "../../policy/client.ts";
import type { EgressScope } from "../../policy/egress-scope.ts";
import { serviceFor } from "../../policy/services.ts";
import { checkReferences } from "../check-references.ts";
import { blackHoleCluster, dynamicDnsCluster, passthroughCluster } from "../clusters/fixed-clusters.ts";
import { clustersOf } from "../clusters/service-clusters.ts";
import { clusterOf, resolveDestination } from "../destinations.ts";
import { assignmentsOf } from "../endpoints/service-assignments.ts";
import { clientCredentials } from "../gateway/credentials.ts";
import type { Scope } from "../memo.ts";
import { resource, sameMap, sameResource } from "../resource.ts";
import { clusterHosts } from "./cluster-hosts.ts";
import { clientsThrough, type EgressClass, egressScope } from "./egress-class.ts";
import { type EgressPlan, type PlannedListener, planEgress } from "./egress-plan.ts";
import { onDemandRouteConfiguration } from "./on-demand.ts";
import { plannedListener } from "./planned-listener.ts";
import { placeRouteConfiguration, portRouteConfiguration, type UnknownHosts } from "./route-configuration.ts";
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
      ...(of.ways.captured ? [resource(inner, "cluster/passthrough", Cluster, passthroughCluster)] : []),
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
    const { names } = listenerPlan(inner, of);
    const services = inner.collect(`service-listeners/${of.key}`, names, (member, name) => {
      const planned = listenerPlan(member, of).plan.listeners.get(name);
      if (planned === undefined) return NONE;
      return byName([classListener(member, of, planned)]);
    });
    if (!of.ways.captured) return services;
    const virtual = resource(inner, `listener/virtual-outbound/${of.key}`, Listener, (own) =>
      virtualOutbound(own.view.settings, unknownHosts(own, of), () => capturedTcpPorts(own, of)),
    );
    return services.edited(byName([virtual]));
  };
  return scope.get(`listeners/${of.key}`, build, sameMap);
}

/** Has what it depends on of the scope in its key: a service that comes or goes leaves the listeners of others as they are. */
function classListener(scope: Scope, of: EgressClass, planned: PlannedListener): EncodedResource {
  const clients = clientsThrough(scope, of);
  const unknown = unknownHosts(scope, of);
  const imports = clients.map((client) => client.imports);
  const key = `listener/${of.key}/${planned.name}/${JSON.stringify([planned, unknown, imports])}`;
  return resource(scope, key, Listener, (inner) =>
    plannedListener(inner, of, { planned, clients, unknown, onDemand: isOnDemand(of) }),
  );
}

function routes(scope: Scope, of: EgressClass): Resources {
  return scope.get(`routes/${of.key}`, (inner) =>
    inner.collect(`service-routes/${of.key}`, listenerPlan(inner, of).routeNames, (member, name) => {
      const planned = listenerPlan(member, of).plan.routes.get(name);
      if (planned === undefined) return NONE;
      const built = member.get(
        `route/${of.key}/${name}`,
        (own) => {
          const now = listenerPlan(own, of).plan.routes.get(name) ?? planned;
          if (now.anyHost) return placeRouteConfiguration(own, of, now);
          if (isOnDemand(of)) return onDemandRouteConfiguration(now);
          return portRouteConfiguration(own, of, now, unknownHosts(own, of));
        },
        sameResource,
      );
      return byName([built]);
    }),
  );
}

/** Credentials that DestinationRules name for calls of these clients. */
function secrets(scope: Scope, of: EgressClass): Resources {
  return scope.get(
    `secrets/${of.key}`,
    (inner) => {
      const all = clusterHosts(inner, of).flatMap((hostname) =>
        inner.get(`secrets-of/${hostname}/${clientKey(of.client)}`, (own) =>
          clientCredentials(own, of.client, [hostname]),
        ),
      );
      return SharedMap.of(byName(all));
    },
    sameMap,
  );
}

interface ListenerPlan {
  readonly plan: EgressPlan;
  readonly names: readonly string[];
  readonly routeNames: readonly string[];
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
      return { plan, names: [...plan.listeners.keys()], routeNames: [...plan.routes.keys()] };
    },
    (a, b) => planText(a.plan) === planText(b.plan),
  );
}

/** Where listeners for captured connections take what is not HTTP. */
function capturedTcpPorts(scope: Scope, of: EgressClass): readonly number[] {
  const all = [...listenerPlan(scope, of).plan.listeners.values()];
  const ports = all.filter(({ binds, tcp }) => !binds && tcp.length > 0).map(({ bind }) => bind.port);
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Otherwise declared upstreams are the only way out, and these are a workload's own. */
function listensGenerally({ ways: { captured, bindsVips, httpProxy }, source }: EgressClass): boolean {
  return captured || bindsVips || httpProxy !== undefined || source.kind !== "hosts";
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

function planText({ listeners: listenersByName, routes: routesByName }: EgressPlan): string {
  return JSON.stringify([[...listenersByName.values()], [...routesByName.values()]]);
}

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
  const onward = of.ways.captured ? PASSTHROUGH_CLUSTER : undefined;
  return mode === "ALLOW_ANY" ? to(onward) : { calls: DYNAMIC_DNS_CLUSTER, connections: onward };
}

function to(cluster: string | undefined): UnknownHosts {
  return { calls: cluster, connections: cluster };
}

function byName(resources: readonly EncodedResource[]): ReadonlyMap<string, EncodedResource> {
  return new Map(resources.map((one) => [one.name, one]));
}
