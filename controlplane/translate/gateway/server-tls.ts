import type { ServerTls } from "../../../mesh/model/gateway.ts";
import { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  SubjectAltNameMatcher,
  TlsCertificate,
  CertificateValidationContext_TrustChainVerification as TrustChain,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import {
  CommonTlsContext_CombinedCertificateValidationContext as CombinedContext,
  CommonTlsContext,
  DownstreamTlsContext,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../../mesh/xds/names.ts";
import { sdsSecret } from "../ads.ts";
import { pack } from "../any.ts";
import type { Scope } from "../memo.ts";
import { tlsParameters } from "../tls/tls-parameters.ts";
import { credentialSecret, rootsSecret, verifiesClients } from "./credentials.ts";

/** Takes TLS off as the settings of a Gateway's server, or of a Sidecar's ingress, say. */
export function serverTlsSocket(
  { view }: Pick<Scope, "view">,
  tls: ServerTls,
  alpn: readonly string[],
): TransportSocket {
  const { trustDomain, mesh } = view.settings;
  const context = DownstreamTlsContext.fromPartial({
    commonTlsContext: {
      ...(tls.mode === "ISTIO_MUTUAL"
        ? meshIdentity(tls, [trustDomain, ...mesh.trustDomainAliases])
        : { ...certificates(tls), ...(verifiesClients(tls) ? clientValidation(tls) : {}) }),
      tlsParams: tlsParameters(tls.mode === "ISTIO_MUTUAL" ? mesh.meshMtls : mesh.tlsDefaults, tls),
      alpnProtocols: [...alpn],
    },
    requireClientCertificate: tls.mode === "MUTUAL" || tls.mode === "ISTIO_MUTUAL",
  });
  return TransportSocket.fromPartial({
    name: "envoy.transport_sockets.tls",
    typedConfig: pack(
      "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      DownstreamTlsContext,
      context,
    ),
  });
}

/** The gateway's own SVID, for peers of the mesh: workloads, never agents. */
function meshIdentity(tls: ServerTls, trustDomains: readonly string[]): Partial<CommonTlsContext> {
  const names =
    tls.subjectAltNames.length > 0
      ? tls.subjectAltNames.flatMap(sanMatchers)
      : trustDomains.map((domain) => uriMatcher({ prefix: `spiffe://${domain}/ns/` }));
  return CommonTlsContext.fromPartial({
    tlsCertificateSdsSecretConfigs: [sdsSecret(SVID_SECRET)],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: names },
      validationContextSdsSecretConfig: sdsSecret(TRUST_BUNDLE_SECRET),
    },
  });
}

function certificates(tls: ServerTls): Partial<CommonTlsContext> {
  if (tls.credentialNames.length > 0) {
    return {
      tlsCertificateSdsSecretConfigs: tls.credentialNames.map((name) => sdsSecret(credentialSecret(name))),
    };
  }
  return {
    tlsCertificates: tls.certificates.map(({ serverCertificate, privateKey }) =>
      TlsCertificate.fromPartial({
        certificateChain: { filename: serverCertificate },
        privateKey: { filename: privateKey },
      }),
    ),
  };
}

function clientValidation(tls: ServerTls): Partial<CommonTlsContext> {
  const context = CertificateValidationContext.fromPartial({
    matchTypedSubjectAltNames: tls.subjectAltNames.flatMap(sanMatchers),
    verifyCertificateSpki: [...tls.verifyCertificateSpki],
    verifyCertificateHash: [...tls.verifyCertificateHash],
    ...(tls.insecureSkipVerify ? { trustChainVerification: TrustChain.ACCEPT_UNTRUSTED } : {}),
    ...(tls.caCrl === "" ? {} : { crl: { filename: tls.caCrl } }),
    ...(tls.credentialNames.length > 0 ? {} : { trustedCa: { filename: tls.caCertificates } }),
  });
  if (tls.credentialNames.length === 0) return { validationContext: context };
  return {
    combinedValidationContext: CombinedContext.fromPartial({
      defaultValidationContext: context,
      validationContextSdsSecretConfig: sdsSecret(rootsSecret(tls)),
    }),
  };
}

/** A name without a scheme may be of any type that is written so. */
function sanMatchers(name: string): readonly SubjectAltNameMatcher[] {
  if (name.includes("://")) return [uriMatcher({ exact: name })];
  return [SanType.DNS, SanType.EMAIL, SanType.IP_ADDRESS].map((sanType) =>
    SubjectAltNameMatcher.fromPartial({ sanType, matcher: { exact: name } }),
  );
}

function uriMatcher(matcher: { readonly exact?: string; readonly prefix?: string }): SubjectAltNameMatcher {
  return SubjectAltNameMatcher.fromPartial({ sanType: SanType.URI, matcher });
}
