import type { TlsLimits } from "../../../mesh/model/mesh-config.ts";
import { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { RawBuffer } from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts";
import {
  SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import {
  CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { StringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../../mesh/xds/names.ts";
import { sdsSecret } from "../ads.ts";
import { pack } from "../any.ts";
import { tlsParameters } from "./tls-parameters.ts";

const TLS_SOCKET = "envoy.transport_sockets.tls";
const TLS_PACKAGE = "envoy.extensions.transport_sockets.tls.v3";

/** What our side of a mesh connection presents on an HTTP port, and on any other. */
export const SERVER_ALPN = { http: ["h2", "http/1.1"], tcp: ["istio"] } as const;

/** Accepts mesh peers only: a certificate of a workload of this trust domain, never that of an agent. */
export function meshServerSocket(
  trustDomains: readonly string[],
  alpn: readonly string[],
  limits: TlsLimits | undefined,
): TransportSocket {
  const peers = trustDomains.map((domain) => uriMatcher({ prefix: `spiffe://${domain}/ns/` }));
  const context = DownstreamTlsContext.fromPartial({
    commonTlsContext: meshContext(peers, alpn, limits),
    requireClientCertificate: true,
  });
  return tlsSocket(pack(`${TLS_PACKAGE}.DownstreamTlsContext`, DownstreamTlsContext, context));
}

export interface MeshClientOptions {
  readonly serverName: string;
  /** Names of which the server must present one. At least one: without any every certificate would do. */
  readonly identities: readonly string[];
  readonly alpn: readonly string[];
  readonly limits: TlsLimits | undefined;
}

export function meshClientSocket(options: MeshClientOptions): TransportSocket {
  const { serverName, identities, alpn, limits } = options;
  const context = UpstreamTlsContext.fromPartial({
    commonTlsContext: meshContext(
      identities.map((exact) => uriMatcher({ exact })),
      alpn,
      limits,
    ),
    sni: serverName,
  });
  return clientSocket(context);
}

export function clientSocket(context: UpstreamTlsContext): TransportSocket {
  return tlsSocket(pack(`${TLS_PACKAGE}.UpstreamTlsContext`, UpstreamTlsContext, context));
}

export function plaintextSocket(): TransportSocket {
  return TransportSocket.fromPartial({
    name: "envoy.transport_sockets.raw_buffer",
    typedConfig: pack(
      "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
      RawBuffer,
      RawBuffer.fromPartial({}),
    ),
  });
}

function tlsSocket(typedConfig: ReturnType<typeof pack>): TransportSocket {
  return TransportSocket.fromPartial({ name: TLS_SOCKET, typedConfig });
}

function meshContext(
  names: readonly SubjectAltNameMatcher[],
  alpnProtocols: readonly string[],
  limits: TlsLimits | undefined,
): CommonTlsContext {
  return CommonTlsContext.fromPartial({
    tlsParams: tlsParameters(limits),
    tlsCertificateSdsSecretConfigs: [sdsSecret(SVID_SECRET)],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: [...names] },
      validationContextSdsSecretConfig: sdsSecret(TRUST_BUNDLE_SECRET),
    },
    alpnProtocols: [...alpnProtocols],
  });
}

function uriMatcher(matcher: Partial<StringMatcher>): SubjectAltNameMatcher {
  return SubjectAltNameMatcher.fromPartial({ sanType: SubjectAltNameMatcher_SanType.URI, matcher });
}
