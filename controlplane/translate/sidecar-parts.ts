import type { SocketAddress, WorkloadId, WorkloadUpstream } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { inboundClusterName, listenerName, routeName } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { clientKey } from "../policy/client.ts";
import { findService } from "../policy/services.ts";
import type { WorkloadConfig } from "../snapshot/snapshot-view.ts";
import { by } from "../snapshot/text-order.ts";
import { inboundPassthroughCluster } from "./clusters/fixed-clusters.ts";
import { inboundCluster } from "./clusters/inbound-cluster.ts";
import { inboundListener, virtualInbound } from "./inbound/inbound-listener.ts";
import { type InboundPort, inboundPorts } from "./inbound/inbound-port.ts";
import type { Scope } from "./memo.ts";
import type { NodeParts } from "./node-parts.ts";
import { type EgressClass, egressScope } from "./outbound/egress-class.ts";
import { unknownHosts } from "./outbound/egress-resources.ts";
import { askedVirtualHosts } from "./outbound/on-demand.ts";
import {
  blackHoleListener,
  upstreamHttpListener,
  upstreamTcpListener,
} from "./outbound/upstream-listener.ts";
import { isHttp } from "./protocols.ts";
import { resource } from "./resource.ts";
import { outboundRouteConfiguration } from "./routes/route-configuration.ts";
import { workloadOf } from "./workload-of.ts";

/** What a workload with an application has of its own: its ports, and its declared upstreams. */
export function sidecarParts(scope: Scope, id: WorkloadId, of: EgressClass): NodeParts {
  const workload = workloadOf(scope, id);
  const places = new Places(scope, id);
  const ports = scope
    .get(`inbound/${id}`, (inner) => inboundPorts(inner.view, workloadOf(inner, id)), sameText)
    .filter(({ number, bind, binds }) => !binds || places.take(bind, `port ${number}`));
  const upstreams = [...workload.upstreams]
    .sort(by(({ host, port }) => `${host}:${port}`))
    .filter(({ host, port, bind }) => places.take(bind, `upstream ${host}:${port}`))
    .map((upstream) => upstreamParts(scope, id, of, upstream));
  return new Map([
    [TYPE_URL.cluster, inboundClusters(scope, id, workload, ports)],
    [
      TYPE_URL.listener,
      [...inboundListeners(scope, id, workload, ports), ...upstreams.map(({ listener }) => listener)],
    ],
    [TYPE_URL.route, upstreams.flatMap(({ routes }) => routes ?? [])],
    [TYPE_URL.virtualHost, askedVirtualHosts(scope, id, of, unknownHosts(scope, of))],
  ]);
}

/** Which addresses are taken, and by what: the first to ask for one has it. */
class Places {
  readonly #scope: Scope;
  readonly #id: WorkloadId;
  readonly #taken = new Map<string, string>();

  constructor(scope: Scope, id: WorkloadId) {
    this.#scope = scope;
    this.#id = id;
  }

  take({ address, port }: SocketAddress, what: string): boolean {
    const name = listenerName(address, port);
    const holder = this.#taken.get(name);
    if (holder === undefined) this.#taken.set(name, what);
    else {
      const message = `${what} gets no listener: ${name} is that of ${holder}`;
      this.#scope.warn({ subject: `Workload/${this.#id}`, message });
    }
    return holder === undefined;
  }
}

function inboundClusters(
  scope: Scope,
  id: WorkloadId,
  workload: WorkloadConfig,
  ports: readonly InboundPort[],
): readonly EncodedResource[] {
  const own = ports.map((port) =>
    resource(
      scope,
      `cluster/${id}/${inboundClusterName(port.number)}/${JSON.stringify(port)}`,
      Cluster,
      (inner) => inboundCluster(inner, workloadOf(inner, id), port),
    ),
  );
  return workload.interception === "none"
    ? own
    : [...own, resource(scope, "cluster/inbound-passthrough", Cluster, inboundPassthroughCluster)];
}

function inboundListeners(
  scope: Scope,
  id: WorkloadId,
  workload: WorkloadConfig,
  ports: readonly InboundPort[],
): readonly EncodedResource[] {
  const bound = ports
    .filter(({ binds }) => binds)
    .map((port) =>
      resource(scope, `listener/${id}/${JSON.stringify(port)}`, Listener, (inner) =>
        inboundListener(inner, workloadOf(inner, id), port),
      ),
    );
  if (workload.interception === "none") return bound;
  const captured = ports.filter(({ binds }) => !binds);
  const virtual = resource(scope, `listener/${id}/virtual/${JSON.stringify(captured)}`, Listener, (inner) =>
    virtualInbound(inner, workloadOf(inner, id), captured),
  );
  return [...bound, virtual];
}

interface UpstreamParts {
  readonly listener: EncodedResource;
  readonly routes: EncodedResource | undefined;
}

/** An upstream that leads nowhere (yet) takes connections and closes them. */
function upstreamParts(
  scope: Scope,
  id: WorkloadId,
  of: EgressClass,
  { host, port, bind }: WorkloadUpstream,
): UpstreamParts {
  const { view } = scope;
  const { client } = of;
  const at = listenerName(bind.address, bind.port);
  const service = findService(view, host, client.namespace);
  const found = service?.ports.find(({ number }) => number === port);
  const problem =
    service === undefined
      ? "there is no such service"
      : found === undefined
        ? `service ${service.hostname} has no such port`
        : inScope(scope, of, service.hostname)
          ? undefined
          : `no egress of the Sidecar in force has ${service.hostname}`;
  if (service === undefined || found === undefined || problem !== undefined) {
    scope.warn({ subject: `Workload/${id}`, message: `upstream ${host}:${port} leads nowhere: ${problem}` });
    const listener = resource(scope, `listener/${at}/black-hole`, Listener, () => blackHoleListener(bind));
    return { listener, routes: undefined };
  }
  const { hostname } = service;
  const name = routeName(hostname, port);
  if (!isHttp(found.protocol)) {
    const listener = resource(scope, `listener/${at}/${name}/${clientKey(client)}`, Listener, (inner) =>
      upstreamTcpListener(inner, client, bind, { hostname, port, tls: found.protocol === "tls" }),
    );
    return { listener, routes: undefined };
  }
  return {
    listener: resource(scope, `listener/${at}/${name}/${service.resolution}`, Listener, (inner) =>
      upstreamHttpListener(inner.view.settings, bind, service, port),
    ),
    routes: resource(scope, `route/${name}/${clientKey(client)}`, RouteConfiguration, (inner) =>
      outboundRouteConfiguration(inner, client, hostname, port),
    ),
  };
}

/** What may be called at all is decided by visibility; only a Sidecar narrows that. */
function inScope(scope: Scope, of: EgressClass, hostname: string): boolean {
  if (of.source.kind !== "sidecar") return true;
  return egressScope(scope, of).listeners.some(({ hosts }) => hosts.includes(hostname));
}

function sameText<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
