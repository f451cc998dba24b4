import { splitPem } from "../../mesh/identity/pem.ts";
import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { Secret as SecretMessage } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import {
  type CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { SVID_SECRET } from "../../mesh/xds/names.ts";
import type { StringMatch } from "../model/match.ts";
import type { ForeignServerTls, MeshServerTls, MeshTls, Secret, UpstreamTls } from "../model/tls.ts";
import { parseForeignServerTls } from "./foreign-server-tls.ts";
import { parseForeignTls } from "./foreign-tls.ts";
import { parseStringMatch } from "./match.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseTlsParameters, sdsName } from "./tls-parameters.ts";
import { decode, inlineBytes } from "./values.ts";

/**
 * With the SVID, for peers of the mesh, or with any other certificate. How long a handshake may take is said by the
 * filter chain.
 */
export function parseDownstreamTls(
  where: string,
  bytes: Uint8Array,
): Omit<MeshServerTls, "handshakeTimeoutMs"> | Omit<ForeignServerTls, "handshakeTimeoutMs"> {
  const from = decode(where, DownstreamTlsContext, bytes);
  onlyFields(where, from, ["commonTlsContext", "requireClientCertificate"]);
  const context = required(where, "common_tls_context", from.commonTlsContext);
  if (!presentsSvid(context)) return parseForeignServerTls(where, from);
  const { certificate, roots, ...common } = parseCommon(where, context);
  if (certificate === undefined || roots === undefined)
    throw unsupported(where, "the mesh's certificate for clients that show none");
  if (!from.requireClientCertificate) throw unsupported(where, "a client certificate that is not required");
  return { ...common, kind: "mesh", certificate, roots };
}

/** With the SVID it is TLS of the mesh; with anything else the server is outside of it. */
export function parseUpstreamTls(where: string, bytes: Uint8Array): UpstreamTls {
  const from = decode(where, UpstreamTlsContext, bytes);
  onlyFields(where, from, ["commonTlsContext", "sni", "maxSessionKeys"]);
  const context = required(where, "common_tls_context", from.commonTlsContext);
  if (!presentsSvid(context)) return parseForeignTls(where, context, from.sni);
  const common = parseCommon(where, context);
  if (common.roots === undefined) {
    throw unsupported(
      where,
      "TLS to an upstream without a validation context (the server would not be verified)",
    );
  }
  return { ...common, kind: "mesh", roots: common.roots, serverName: from.sni };
}

function presentsSvid({ tlsCertificateSdsSecretConfigs: secrets }: CommonTlsContext): boolean {
  return secrets.some(({ name }) => name === SVID_SECRET);
}

type Common = Omit<MeshTls, "kind" | "serverName" | "roots"> & { readonly roots: string | undefined };

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
  const combined = from.combinedValidationContext;
  if (combined) onlyFields(where, combined, ["defaultValidationContext", "validationContextSdsSecretConfig"]);
  const roots = combined?.validationContextSdsSecretConfig ?? from.validationContextSdsSecretConfig;
  return {
    certificate: certificate && sdsName(where, certificate),
    roots: roots && sdsName(where, roots),
    sans: parseSans(where, combined?.defaultValidationContext),
    ...parseTlsParameters(where, from.tlsParams),
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
    const { trustedCa, crl } = from.validationContext;
    onlyFields(where, from.validationContext, ["trustedCa", "crl", "onlyVerifyLeafCertCrl"]);
    const pem = text(inlineBytes(where, trustedCa));
    if (pem === "") throw invalid(where, "the trusted CA is missing");
    return {
      kind: "roots",
      name,
      pem,
      crls: crl === undefined ? [] : splitPem(text(inlineBytes(where, crl)), "X509 CRL"),
    };
  }
  throw unsupported(where, "a secret that is neither a certificate nor a validation context");
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
