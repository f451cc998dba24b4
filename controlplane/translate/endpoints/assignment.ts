import { isIP } from "node:net";
import type { Endpoint, EndpointTarget } from "../../../mesh/model/service.ts";
import { Locality, Metadata } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import {
  LbEndpoint,
  LocalityLbEndpoints,
} from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import { mtlsMode } from "../../policy/peer-authentication.ts";
import { selects } from "../../snapshot/labels.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { by, byText } from "../../snapshot/text-order.ts";
import { address, isUnixAddress } from "../addresses.ts";
import type { Scope } from "../memo.ts";

/** What one cluster is made of. Empty labels: all endpoints of the service. */
export interface AssignmentOf {
  readonly hostname: string;
  readonly port: number;
  readonly subset: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Key that the TLS of an endpoint is told by, and the filter metadata that transport sockets are matched against. */
export const TLS_MODE = "tlsMode";
const TRANSPORT_SOCKET_MATCH = "envoy.transport_socket_match";

/** The healthy endpoints of a cluster, for EDS: addresses only, since Envoy looks up no names there. */
export function edsAssignment(scope: Scope, of: AssignmentOf): ClusterLoadAssignment {
  return assignment(scope, of, ({ address: host }) => isIP(host) !== 0 || isUnixAddress(host));
}

/** The same with host names, for a cluster that looks them up. */
export function dnsAssignment(scope: Scope, of: AssignmentOf): ClusterLoadAssignment {
  return assignment(scope, of, () => true);
}

function assignment(
  { view, warn }: Scope,
  { hostname, port, subset, labels }: AssignmentOf,
  usable: (target: EndpointTarget) => boolean,
): ClusterLoadAssignment {
  const localities = new Map<string, LbEndpoint[]>();
  for (const endpoint of [...view.endpoints(hostname)].sort(by(({ id }) => id))) {
    if (!endpoint.healthy || !selects(labels, endpoint.labels)) continue;
    const target = endpoint.targets.find(({ servicePort }) => servicePort === port);
    if (target === undefined) continue;
    if (!usable(target)) {
      warn({
        subject: `Service/${hostname}`,
        message: `endpoint ${endpoint.id} is left out: ${target.address} is no IP address`,
      });
      continue;
    }
    const group = localities.get(endpoint.locality) ?? [];
    localities.set(endpoint.locality, group);
    group.push(
      lbEndpoint(endpoint, target, {
        meshTls: takesMeshTls(view, endpoint, target),
        cluster: view.settings.trustDomain,
      }),
    );
  }
  return ClusterLoadAssignment.fromPartial({
    clusterName: outboundClusterName(port, subset, hostname),
    endpoints: [...localities]
      .sort(([a], [b]) => byText(a, b))
      .map(([name, members]) => localityEndpoints(name, members)),
  });
}

function localityEndpoints(name: string, lbEndpoints: LbEndpoint[]): LocalityLbEndpoints {
  const weight = lbEndpoints.reduce((sum, one) => sum + (one.loadBalancingWeight ?? 1), 0);
  return LocalityLbEndpoints.fromPartial({
    ...(name === "" ? {} : { locality: locality(name) }),
    lbEndpoints,
    loadBalancingWeight: weight,
  });
}

function locality(name: string): Locality {
  const [region = "", zone = "", subZone = ""] = name.split("/");
  return { region, zone, subZone };
}

interface Traits {
  readonly meshTls: boolean;
  /** The mesh that the endpoint is of, for telemetry. */
  readonly cluster: string;
}

function lbEndpoint(endpoint: Endpoint, target: EndpointTarget, traits: Traits): LbEndpoint {
  return LbEndpoint.fromPartial({
    endpoint: { address: address(target.address, target.port) },
    loadBalancingWeight: Math.max(1, Math.round(endpoint.weight)),
    metadata: metadataOf(endpoint, traits),
  });
}

/** Its proxy takes no TLS where a PeerAuthentication says DISABLE, and callers have to know. */
function takesMeshTls(view: SnapshotView, endpoint: Endpoint, target: EndpointTarget): boolean {
  if (!endpoint.meshed) return false;
  const workload = endpoint.workload === undefined ? undefined : view.workload(endpoint.workload);
  const port = workload?.ports.find(({ servicePort }) => servicePort === target.servicePort);
  return mtlsMode(view, workload ?? endpoint, port?.app.port ?? target.port) !== "DISABLE";
}

function metadataOf({ workload, namespace, labels }: Endpoint, { meshTls, cluster }: Traits): Metadata {
  const filterMetadata: { [filter: string]: { [key: string]: string } } = {};
  if (meshTls) filterMetadata[TRANSPORT_SOCKET_MATCH] = { [TLS_MODE]: "istio" };
  const name = workload?.slice(workload.indexOf("/") + 1);
  if (name !== undefined) {
    // `workload;namespace;canonical name;canonical revision;cluster`: telemetry of the client side, as Istio has it.
    const canonical = labels["service.istio.io/canonical-name"] ?? labels["app"] ?? name;
    const revision = labels["service.istio.io/canonical-revision"] ?? labels["version"] ?? "latest";
    filterMetadata["istio"] = { workload: [name, namespace, canonical, revision, cluster].join(";") };
  }
  return Metadata.fromPartial({ filterMetadata });
}
