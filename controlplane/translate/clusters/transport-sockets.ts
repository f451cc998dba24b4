import type { ClientTls } from "../../../mesh/model/destination-rule.ts";
import type { Service, ServicePort } from "../../../mesh/model/service.ts";
import {
  type Cluster,
  Cluster_TransportSocketMatch,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { UpstreamTlsContext } from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { meshServerName } from "../../../mesh/xds/names.ts";
import { workloadSpiffeId } from "../../snapshot/identities.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { TLS_MODE } from "../endpoints/assignment.ts";
import { isHttp, isHttp2 } from "../protocols.ts";
import { CLIENT_ALPN, clientSocket, meshClientSocket, plaintextSocket } from "../tls/mesh-tls.ts";

type Sockets = Partial<Pick<Cluster, "transportSocket" | "transportSocketMatches">>;

/** Roots of the public web, where Debian and its kin keep them. */
const SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt";

/**
 * How the endpoints of a cluster are reached. Nothing said: mesh TLS to those that a mesh proxy takes the traffic of,
 * plaintext to the others. Outside the mesh there is plaintext only, unless an endpoint has an identity.
 */
export function transportSockets(
  view: SnapshotView,
  service: Service,
  port: ServicePort,
  subset: string,
  tls: ClientTls | undefined,
): Sockets {
  if (tls === undefined) {
    if (service.external && view.identities(service.hostname).length === 0) return {};
    return { transportSocketMatches: byEndpoint(meshSocket(view, service, port, subset, tls)) };
  }
  switch (tls.mode) {
    case "ISTIO_MUTUAL":
      return { transportSocket: meshSocket(view, service, port, subset, tls) };
    case "SIMPLE":
    case "MUTUAL":
      return { transportSocket: originatedTls(service, port, tls) };
    case "DISABLE":
      return {};
    default:
      return tls.mode satisfies never;
  }
}

function byEndpoint(mesh: TransportSocket): Cluster_TransportSocketMatch[] {
  return [
    Cluster_TransportSocketMatch.fromPartial({
      name: "tlsMode-istio",
      match: { [TLS_MODE]: "istio" },
      transportSocket: mesh,
    }),
    Cluster_TransportSocketMatch.fromPartial({
      name: "tlsMode-disabled",
      match: {},
      transportSocket: plaintextSocket(),
    }),
  ];
}

function meshSocket(
  view: SnapshotView,
  service: Service,
  port: ServicePort,
  subset: string,
  tls: ClientTls | undefined,
): TransportSocket {
  const asked = tls?.subjectAltNames ?? [];
  const known = asked.length > 0 ? asked : view.identities(service.hostname);
  return meshClientSocket({
    serverName: tls?.sni || meshServerName(port.number, subset, service.hostname),
    identities: known.length > 0 ? known : [expectedIdentity(view, service)],
    alpn: isHttp2(port.protocol)
      ? CLIENT_ALPN.http2
      : isHttp(port.protocol)
        ? CLIENT_ALPN.http
        : CLIENT_ALPN.tcp,
  });
}

/**
 * Before the first endpoint is known no identity is, but an empty list would accept any certificate of the mesh. By
 * default a service's account has its name.
 */
function expectedIdentity({ settings }: SnapshotView, { namespace, name }: Service): string {
  return workloadSpiffeId(settings.trustDomain, namespace, name);
}

/** TLS that the application would otherwise speak itself, from files on the proxy's host. */
function originatedTls(service: Service, port: ServicePort, tls: ClientTls): TransportSocket {
  const ca = tls.caCertificates === "" || tls.caCertificates === "system" ? SYSTEM_ROOTS : tls.caCertificates;
  const names = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : service.subjectAltNames;
  return clientSocket(
    UpstreamTlsContext.fromPartial({
      sni: tls.sni || (service.hostname.startsWith("*") ? "" : service.hostname),
      commonTlsContext: {
        ...(tls.mode === "MUTUAL" && {
          tlsCertificates: [
            {
              certificateChain: { filename: tls.clientCertificate },
              privateKey: { filename: tls.privateKey },
            },
          ],
        }),
        ...(!tls.insecureSkipVerify && {
          validationContext: {
            trustedCa: { filename: ca },
            matchTypedSubjectAltNames: sanMatchers(names.length > 0 ? names : [tls.sni || service.hostname]),
          },
        }),
        alpnProtocols: isHttp2(port.protocol) ? ["h2"] : isHttp(port.protocol) ? ["http/1.1"] : [],
      },
    }),
  );
}

function sanMatchers(names: readonly string[]): SubjectAltNameMatcher[] {
  return names.map((exact) => ({
    sanType: exact.includes("://") ? SubjectAltNameMatcher_SanType.URI : SubjectAltNameMatcher_SanType.DNS,
    matcher: { exact, ignoreCase: false },
    oid: "",
  }));
}
