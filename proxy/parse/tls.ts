import {
  type CertificateValidationContext,
  TlsParameters_TlsProtocol as Protocol,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  type TlsParameters,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { Secret as SecretMessage } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import {
  type CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { StringMatch } from "../model/match.ts";
import type { DownstreamTls, Secret, UpstreamTls } from "../model/tls.ts";
import { parseStringMatch } from "./match.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { decode, fromAds, inlineBytes } from "./values.ts";

export function parseDownstreamTls(where: string, bytes: Uint8Array): DownstreamTls {
  const from = decode(where, DownstreamTlsContext, bytes);
  onlyFields(where, from, ["commonTlsContext", "requireClientCertificate"]);
  const common = parseCommon(where, required(where, "common_tls_context", from.commonTlsContext));
  if (common.certificate === undefined) throw invalid(where, "a server needs a certificate");
  if ((from.requireClientCertificate ?? false) !== (common.roots !== undefined)) {
    throw unsupported(
      where,
      from.requireClientCertificate
        ? "a client certificate that nothing verifies"
        : "a client certificate that is not required",
    );
  }
  return {
    ...common,
    certificate: common.certificate,
    requireClientCertificate: from.requireClientCertificate ?? false,
  };
}

export function parseUpstreamTls(where: string, bytes: Uint8Array): UpstreamTls {
  const from = decode(where, UpstreamTlsContext, bytes);
  onlyFields(where, from, ["commonTlsContext", "sni", "maxSessionKeys"]);
  const common = parseCommon(where, required(where, "common_tls_context", from.commonTlsContext));
  if (common.roots === undefined) {
    throw unsupported(
      where,
      "TLS to an upstream without a validation context (the server would not be verified)",
    );
  }
  return { ...common, roots: common.roots, serverName: from.sni };
}

type Common = Omit<UpstreamTls, "serverName" | "roots"> & { readonly roots: string | undefined };

function parseCommon(where: string, from: CommonTlsContext): Common {
  onlyFields(where, from, [
    "tlsParams",
    "tlsCertificateSdsSecretConfigs",
    "validationContextSdsSecretConfig",
    "combinedValidationContext",
    "alpnProtocols",
  ]);
  const [certificate, ...more] = from.tlsCertificateSdsSecretConfigs;
  if (more.length > 0) throw unsupported(where, "more than one certificate");
  if (certificate) fromAds(`${where}: secret "${certificate.name}"`, certificate.sdsConfig);
  const combined = from.combinedValidationContext;
  if (combined) onlyFields(where, combined, ["defaultValidationContext", "validationContextSdsSecretConfig"]);
  const roots = combined?.validationContextSdsSecretConfig ?? from.validationContextSdsSecretConfig;
  if (roots) fromAds(`${where}: secret "${roots.name}"`, roots.sdsConfig);
  return {
    certificate: certificate?.name,
    roots: roots?.name,
    sans: parseSans(where, combined?.defaultValidationContext),
    ...parseParameters(where, from.tlsParams),
    alpn: from.alpnProtocols,
  };
}

function parseSans(where: string, from: CertificateValidationContext | undefined): StringMatch[] {
  if (from === undefined) return [];
  onlyFields(where, from, ["matchTypedSubjectAltNames", "matchSubjectAltNames"]);
  return [
    ...from.matchTypedSubjectAltNames.map((san) => parseSan(where, san)),
    ...from.matchSubjectAltNames.map((san) => parseStringMatch(where, san)),
  ];
}

function parseSan(where: string, from: SubjectAltNameMatcher): StringMatch {
  // Peers are SVIDs here: the URI SAN is the one name that they have.
  if (from.sanType !== SanType.URI) throw unsupported(where, `subject alternative name type ${from.sanType}`);
  return parseStringMatch(where, from.matcher);
}

function parseParameters(
  where: string,
  from: TlsParameters | undefined,
): Pick<Common, "minVersion" | "maxVersion" | "ciphers" | "curves"> {
  if (from) {
    onlyFields(where, from, [
      "tlsMinimumProtocolVersion",
      "tlsMaximumProtocolVersion",
      "cipherSuites",
      "ecdhCurves",
    ]);
  }
  const min = from?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO;
  const max = from?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO;
  if (min === Protocol.TLSv1_0 || min === Protocol.TLSv1_1) throw unsupported(where, "TLS below 1.2");
  return {
    minVersion: min === Protocol.TLSv1_3 ? "TLSv1.3" : "TLSv1.2",
    maxVersion: max === Protocol.TLSv1_2 ? "TLSv1.2" : "TLSv1.3",
    // Envoy groups equally preferred suites as `[A|B]`.
    ciphers: (from?.cipherSuites ?? []).flatMap((suite) => suite.replace(/^\[|\]$/g, "").split("|")),
    curves: from?.ecdhCurves ?? [],
  };
}

export function parseSecret(bytes: Uint8Array, name: string): Secret {
  const where = `secret ${name}`;
  const from = decode(where, SecretMessage, bytes);
  if (from.tlsCertificate) {
    const { certificateChain, privateKey } = from.tlsCertificate;
    const chainPem = text(inlineBytes(where, certificateChain));
    const keyPem = text(inlineBytes(where, privateKey));
    if (chainPem === "" || keyPem === "") throw invalid(where, "certificate chain or private key is missing");
    return { kind: "certificate", name, chainPem, keyPem };
  }
  if (from.validationContext) {
    const pem = text(inlineBytes(where, from.validationContext.trustedCa));
    if (pem === "") throw invalid(where, "the trusted CA is missing");
    return { kind: "roots", name, pem };
  }
  throw unsupported(where, "a secret that is neither a certificate nor a validation context");
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
