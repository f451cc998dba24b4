import type { ObjectKey } from "../../../mesh/model/object.ts";
import type { ServicePort } from "../../../mesh/model/service.ts";
import type { SocketAddress, WorkloadId, WorkloadPort } from "../../../mesh/model/workload.ts";
import { listenerName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { destinationPolicy, findDestinationRules } from "../../policy/destination-rules.ts";
import { findService } from "../../policy/services.ts";
import {
  applicableHttpRoutes,
  applicableTcpRoute,
  governingVirtualService,
} from "../../policy/virtual-services.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { by } from "../../snapshot/text-order.ts";
import { type ClusterOf, hasAssignment } from "../clusters/clusters.ts";
import { resolveDestination, weighted } from "../destinations.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";

/** Which resources a workload gets, before any of them is built. */
export interface NodePlan {
  readonly client: Client;
  readonly inbound: readonly WorkloadPort[];
  readonly outbound: readonly PlannedUpstream[];
  readonly clusters: readonly PlannedCluster[];
}

export interface PlannedUpstream {
  readonly bind: SocketAddress;
  /** Undefined: there is no such service port. */
  readonly target:
    | { readonly hostname: string; readonly port: number; readonly protocol: "http" | "tcp" }
    | undefined;
}

interface PlannedCluster extends ClusterOf {
  readonly labels: Readonly<Record<string, string>>;
  /** Whether its endpoints come by EDS. */
  readonly assigned: boolean;
}

/**
 * A listener for each port and each upstream, and clusters for what the upstreams lead to: the service itself, where a
 * VirtualService routes it, and all subsets of those, so that a change of routes finds them warm.
 */
export function planNode({ view, warn }: Scope, id: WorkloadId, workload: WorkloadConfig): NodePlan {
  const subject = `Workload/${id}`;
  const client: Client = { namespace: workload.namespace, labels: workload.labels };
  const taken = new Map<string, string>();
  const take = (address: SocketAddress, what: string): boolean => {
    const name = listenerName(address.address, address.port);
    const holder = taken.get(name);
    if (holder === undefined) taken.set(name, what);
    else warn({ subject, message: `${what} gets no listener: ${name} is that of ${holder}` });
    return holder === undefined;
  };
  const inbound = [...workload.ports]
    .sort((a, b) => a.servicePort - b.servicePort)
    .filter(({ servicePort }, index, all) => {
      const first = all[index - 1]?.servicePort !== servicePort;
      if (!first) warn({ subject, message: `port ${servicePort} is there twice: the first counts` });
      return first;
    })
    .filter(({ inbound: at, servicePort }) => take(at, `port ${servicePort}`));
  const outbound: PlannedUpstream[] = [];
  const clusters = new Map<string, PlannedCluster>();
  for (const upstream of [...workload.upstreams].sort(by(({ host, port }) => `${host}:${port}`))) {
    const what = `upstream ${upstream.host}:${upstream.port}`;
    if (!take(upstream.bind, what)) continue;
    const service = findService(view, upstream.host, workload.namespace);
    const port = service?.ports.find(({ number }) => number === upstream.port);
    if (service === undefined || port === undefined) {
      const why = service ? `service ${service.hostname} has no such port` : "there is no such service";
      warn({ subject, message: `${what} leads nowhere: ${why}` });
      outbound.push({ bind: upstream.bind, target: undefined });
      continue;
    }
    const protocol = isHttp(port.protocol) ? "http" : "tcp";
    outbound.push({
      bind: upstream.bind,
      target: { hostname: service.hostname, port: port.number, protocol },
    });
    for (const place of reachable(view, client, service.hostname, port)) {
      for (const cluster of clustersOf(view, client, place)) {
        clusters.set(`${cluster.hostname}|${cluster.port}|${cluster.subset}`, cluster);
      }
    }
  }
  return {
    client,
    inbound,
    outbound,
    clusters: [...clusters].sort(by(([key]) => key)).map(([, one]) => one),
  };
}

interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** The service port itself and wherever a VirtualService leads its calls. */
function reachable(
  view: SnapshotView,
  client: Client,
  hostname: string,
  { number, protocol }: ServicePort,
): readonly Place[] {
  const governing = governingVirtualService(view, client, hostname);
  if (governing === undefined) return [{ hostname, port: number }];
  const routes = isHttp(protocol)
    ? applicableHttpRoutes(governing, client, number).flatMap(({ route }) => weighted(route.route))
    : weighted(applicableTcpRoute(governing, client, number)?.route ?? []);
  const places = routes.flatMap(({ destination }) => {
    const found = resolveDestination(view, client, destination, governing.metadata.namespace, number);
    return found.kind === "found" ? [{ hostname: found.hostname, port: found.port }] : [];
  });
  return [{ hostname, port: number }, ...places];
}

function clustersOf(
  view: SnapshotView,
  client: Client,
  { hostname, port }: Place,
): readonly PlannedCluster[] {
  const service = view.service(hostname);
  if (service === undefined) return [];
  const rules = findDestinationRules(view, client, service);
  const assigned = hasAssignment(service);
  const { subsets } = destinationPolicy(view, rules);
  return [{ name: "", labels: {} }, ...subsets].map(({ name, labels }) => ({
    hostname,
    port,
    subset: name,
    labels,
    rules,
    assigned,
  }));
}

/** The rules that a cluster follows, as part of a key: clients under other rules get another cluster of that name. */
export function rulesKey(rules: ClusterOf["rules"]): string {
  const keys: readonly ObjectKey[] = rules?.keys ?? [];
  return keys.join(",");
}
