import { isIP } from "node:net";
import type { Endpoint, EndpointTarget, ServiceKey } from "../../../mesh/model/service.ts";
import { Metadata } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { LbEndpoint } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts";
import { type Placement, topologyLabels } from "../../policy/locality.ts";
import { mtlsMode } from "../../policy/peer-authentication.ts";
import { selects } from "../../snapshot/labels.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { by } from "../../snapshot/text-order.ts";
import { address, isUnixAddress } from "../addresses.ts";
import type { Scope } from "../memo.ts";
import { groupByLocality, type WeighedEndpoint } from "./locality-groups.ts";
import { type NetworkGateway, networkGateways, networkOf } from "./networks.ts";

/** What one cluster is made of. */
export interface AssignmentOf {
  readonly clusterName: string;
  readonly hostname: string;
  /** Which of the services of the host. */
  readonly service: ServiceKey;
  readonly port: number;
  /** Empty: all endpoints of the service. */
  readonly labels: Readonly<Record<string, string>>;
  readonly placement: Placement;
  /** Networks that are entered through their gateways, and what gets in there: mesh TLS does, nothing else. */
  readonly remote: readonly string[];
  readonly remoteBy: "mesh-tls" | "plaintext" | "nobody";
  /** Where Envoy looks up names there may be some. */
  readonly names: boolean;
}

/** Key that the TLS of an endpoint is told by, and the filter metadata that transport sockets are matched against. */
export const TLS_MODE = "tlsMode";
const TRANSPORT_SOCKET_MATCH = "envoy.transport_socket_match";

/** The healthy endpoints of a cluster, those in other networks replaced by the gateways there. */
export function assignment(scope: Scope, of: AssignmentOf): ClusterLoadAssignment {
  const { view } = scope;
  const gateways = new Map(of.remote.map((network) => [network, networkGateways(view, network)]));
  // Weights are whole numbers, so they are scaled for a network's weight to be shared out among its gateways.
  const scale = [...gateways.values()].map(({ length }) => length).reduce(leastCommonMultiple, 1);
  const endpoints: WeighedEndpoint[] = [];
  const throughGateways: {
    readonly endpoint: Endpoint;
    readonly weight: number;
    readonly network: string;
  }[] = [];
  for (const { endpoint, target } of usable(scope, of)) {
    const weight = Math.max(1, Math.round(endpoint.weight)) * scale;
    const network = networkOf(view, endpoint);
    const tls = takesMeshTls(view, endpoint, target);
    if (!gateways.has(network)) {
      endpoints.push({ endpoint, weight, make: (share) => lbEndpoint(view, endpoint, target, share, tls) });
    } else if (of.remoteBy === "mesh-tls" && tls) {
      throughGateways.push({ endpoint, weight, network });
    } else if (of.remoteBy !== "nobody") {
      leftOut(scope, of, endpoint, `network ${network} is entered by mesh TLS only`);
    }
  }
  for (const { endpoint, weight, network } of throughGateways) {
    const ways = gateways.get(network) ?? [];
    for (const gateway of ways) {
      endpoints.push({
        endpoint,
        weight: weight / ways.length,
        gateway: `${gateway.address}:${gateway.port}`,
        make: (share) => gatewayEndpoint(gateway, share),
      });
    }
  }
  return ClusterLoadAssignment.fromPartial({
    clusterName: of.clusterName,
    endpoints: groupByLocality(endpoints, of.placement, (one) => ({
      locality: one.locality,
      network: networkOf(view, one),
      labels: one.labels,
    })),
  });
}

interface Usable {
  readonly endpoint: Endpoint;
  readonly target: EndpointTarget;
}

function usable(scope: Scope, of: AssignmentOf): readonly Usable[] {
  return [...scope.view.endpoints(of.service)].sort(by(({ id }) => id)).flatMap((endpoint) => {
    if (!endpoint.healthy || !isIn(of.labels, scope.view, endpoint)) return [];
    const target = endpoint.targets.find(({ servicePort }) => servicePort === of.port);
    if (target === undefined) return [];
    if (of.names || isIP(target.address) !== 0 || isUnixAddress(target.address))
      return [{ endpoint, target }];
    leftOut(scope, of, endpoint, `${target.address} is no IP address`);
    return [];
  });
}

/** Whether an endpoint is in a subset, which may be one of places. */
function isIn(labels: AssignmentOf["labels"], view: SnapshotView, endpoint: Endpoint): boolean {
  if (Object.keys(labels).length === 0) return true;
  return selects(labels, topologyLabels({ ...endpoint, network: networkOf(view, endpoint) }));
}

function leftOut({ warn }: Scope, { hostname }: AssignmentOf, { id }: Endpoint, why: string): void {
  warn({ subject: `Service/${hostname}`, message: `endpoint ${id} is left out: ${why}` });
}

function lbEndpoint(
  { settings }: SnapshotView,
  endpoint: Endpoint,
  target: EndpointTarget,
  weight: number,
  meshTls: boolean,
): LbEndpoint {
  return LbEndpoint.fromPartial({
    endpoint: { address: address(target.address, target.port) },
    loadBalancingWeight: weight,
    metadata: metadataOf(endpoint, meshTls, settings.trustDomain),
  });
}

/** What goes through a gateway is mesh TLS all the way to the endpoint. */
function gatewayEndpoint(gateway: NetworkGateway, weight: number): LbEndpoint {
  return LbEndpoint.fromPartial({
    endpoint: { address: address(gateway.address, gateway.port) },
    loadBalancingWeight: weight,
    metadata: { filterMetadata: { [TRANSPORT_SOCKET_MATCH]: { [TLS_MODE]: "istio" } } },
  });
}

/** Its proxy takes no TLS where a PeerAuthentication says DISABLE, and callers have to know. */
export function takesMeshTls(view: SnapshotView, endpoint: Endpoint, target: EndpointTarget): boolean {
  if (!endpoint.meshed) return false;
  const workload = endpoint.workload === undefined ? undefined : view.workload(endpoint.workload);
  const port = workload?.ports.find(({ servicePort }) => servicePort === target.servicePort);
  return mtlsMode(view, workload ?? endpoint, port?.app.port ?? target.port) !== "DISABLE";
}

/** `mesh`: the trust domain, for telemetry. */
function metadataOf({ workload, namespace, labels }: Endpoint, meshTls: boolean, mesh: string): Metadata {
  const filterMetadata: { [filter: string]: { [key: string]: string } } = {};
  if (meshTls) filterMetadata[TRANSPORT_SOCKET_MATCH] = { [TLS_MODE]: "istio" };
  const name = workload?.slice(workload.indexOf("/") + 1);
  if (name !== undefined) {
    // `workload;namespace;canonical name;canonical revision;cluster`: telemetry of the client side, as Istio has it.
    const canonical = labels["service.istio.io/canonical-name"] ?? labels["app"] ?? name;
    const revision = labels["service.istio.io/canonical-revision"] ?? labels["version"] ?? "latest";
    filterMetadata["istio"] = { workload: [name, namespace, canonical, revision, mesh].join(";") };
  }
  return Metadata.fromPartial({ filterMetadata });
}

function leastCommonMultiple(a: number, b: number): number {
  return b === 0 ? a : (a * b) / greatestCommonDivisor(a, b);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
