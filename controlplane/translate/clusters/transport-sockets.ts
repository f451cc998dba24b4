import type { ClientTls } from "../../../mesh/model/destination-rule.ts";
import type { Service, ServicePort } from "../../../mesh/model/service.ts";
import {
  type Cluster,
  Cluster_TransportSocketMatch,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { CLIENT_ALPN, meshServerName } from "../../../mesh/xds/names.ts";
import { mtlsMode } from "../../policy/peer-authentication.ts";
import { workloadSpiffeId } from "../../snapshot/identities.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { byText } from "../../snapshot/text-order.ts";
import { TLS_MODE, takesMeshTls } from "../endpoints/assignment.ts";
import { isHttp } from "../protocols.ts";
import { meshClientSocket, plaintextSocket } from "../tls/mesh-tls.ts";
import type { UpstreamHttp } from "./connection-pool.ts";

type Sockets = Partial<Pick<Cluster, "transportSocket" | "transportSocketMatches">>;

export interface MeshTlsOf {
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: string;
  readonly http: UpstreamHttp;
  /** A rule's ISTIO_MUTUAL, where there is one. */
  readonly tls: ClientTls | undefined;
}

/**
 * Whether calls for which no rule says how are mesh TLS. Outside the mesh they are plaintext, and where the policy of
 * the namespace or of the mesh says so; that of single workloads is told by their endpoints.
 */
export function isAutoMtls(view: SnapshotView, { external, namespace }: Service): boolean {
  if (external || view.settings.mesh.enableAutoMtls === false) return false;
  return mtlsMode(view, { namespace, labels: {} }, 0) !== "DISABLE";
}

/** Mesh TLS to those endpoints that a mesh proxy takes the traffic of, plaintext to the others. */
export function autoSockets(view: SnapshotView, of: MeshTlsOf): Sockets {
  return {
    transportSocketMatches: [
      Cluster_TransportSocketMatch.fromPartial({
        name: "tlsMode-istio",
        match: { [TLS_MODE]: "istio" },
        transportSocket: meshSocket(view, of),
      }),
      Cluster_TransportSocketMatch.fromPartial({
        name: "tlsMode-disabled",
        match: {},
        transportSocket: plaintextSocket(),
      }),
    ],
  };
}

/** Endpoints that are only known as addresses cannot be told apart, so mesh TLS is for when all of them take it. */
export function originalDestinationSockets(view: SnapshotView, of: MeshTlsOf): Sockets {
  const targets = view.endpoints(of.service.key).flatMap((endpoint) => {
    const target = endpoint.targets.find(({ servicePort }) => servicePort === of.port.number);
    return target === undefined ? [] : [takesMeshTls(view, endpoint, target)];
  });
  return targets.length > 0 && !targets.includes(false) ? { transportSocket: meshSocket(view, of) } : {};
}

export function meshSocket(
  view: SnapshotView,
  { service, port, subset, http, tls }: MeshTlsOf,
): TransportSocket {
  const { trustDomain, mesh } = view.settings;
  const asked = tls?.subjectAltNames ?? [];
  const known = asked.length > 0 ? asked : view.identities(service.key);
  // Before the first endpoint is known no identity is, but an empty list would accept any certificate of the mesh. By
  // default a service's account has its name.
  const expected = workloadSpiffeId(trustDomain, service.namespace, service.name);
  return meshClientSocket({
    serverName: tls?.sni || meshServerName(port.number, subset, service.hostname),
    identities: withAliases(known.length > 0 ? known : [expected], trustDomain, mesh.trustDomainAliases),
    alpn: meshAlpn(isHttp(port.protocol), http),
    limits: mesh.meshMtls,
  });
}

/** Where either may be spoken nothing is said of HTTP: the server finds out from the first bytes. */
function meshAlpn(isHttpPort: boolean, http: UpstreamHttp): readonly string[] {
  if (http === "http2") return CLIENT_ALPN.http2;
  return isHttpPort && http === "http1" ? CLIENT_ALPN.http1 : CLIENT_ALPN.tcp;
}

/** A server that has moved to another trust domain, or not yet, is still the same one. */
function withAliases(
  identities: readonly string[],
  trustDomain: string,
  aliases: readonly string[],
): readonly string[] {
  if (aliases.length === 0) return identities;
  const domains = [trustDomain, ...aliases];
  const all = identities.flatMap((identity) => {
    const path = /^spiffe:\/\/([^/]+)(\/.*)$/.exec(identity);
    const [, domain = "", rest = ""] = path ?? [];
    return domains.includes(domain) ? domains.map((one) => `spiffe://${one}${rest}`) : [identity];
  });
  return [...new Set(all)].sort(byText);
}
