import type { SocketAddress, WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { inboundClusterName, listenerName } from "../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { WorkloadConfig } from "../snapshot/snapshot-view.ts";
import { by } from "../snapshot/text-order.ts";
import { inboundPassthroughCluster } from "./clusters/fixed-clusters.ts";
import { inboundCluster } from "./clusters/inbound-cluster.ts";
import { clustersOf } from "./clusters/service-clusters.ts";
import { assignmentsOf } from "./endpoints/service-assignments.ts";
import { inboundListener, virtualInbound } from "./inbound/inbound-listener.ts";
import { type InboundPort, inboundPorts } from "./inbound/inbound-port.ts";
import type { Scope } from "./memo.ts";
import type { NodeParts } from "./node-parts.ts";
import type { EgressClass } from "./outbound/egress-class.ts";
import { unknownHosts } from "./outbound/egress-resources.ts";
import { askedVirtualHosts } from "./outbound/on-demand.ts";
import { upstreamParts } from "./outbound/upstream-parts.ts";
import { referencesOf, serviceHosts } from "./references.ts";
import { resource } from "./resource.ts";
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
  const inbound = inboundListeners(scope, id, workload, ports);
  // Whom policies ask is called by the proxy itself, whatever the application may call.
  const asked = inbound
    .flatMap((listener) => referencesOf(TYPE_URL.listener, listener))
    .map(({ name }) => name);
  const askedOf = (build: typeof clustersOf): readonly EncodedResource[] =>
    serviceHosts(asked).flatMap((host) =>
      build(scope, of.client, host).filter(({ name }) => asked.includes(name)),
    );
  return new Map<TypeUrl, readonly EncodedResource[]>([
    [TYPE_URL.cluster, [...inboundClusters(scope, id, workload, ports), ...askedOf(clustersOf)]],
    [TYPE_URL.endpoints, askedOf(assignmentsOf)],
    [TYPE_URL.listener, [...inbound, ...upstreams.map(({ listener }) => listener)]],
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

function sameText<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
