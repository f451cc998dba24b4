import {
  CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as TrustChain,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type {
  CommonTlsContext,
  DownstreamTlsContext,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { ClientRules, ForeignServerTls } from "../model/tls.ts";
import { dataSource, parseCertificateName, parseCertificates } from "./certificate-source.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseTlsParameters, sdsName } from "./tls-parameters.ts";

/** TLS that Gateways and Sidecars end with SIMPLE, MUTUAL and OPTIONAL_MUTUAL. */
export function parseForeignServerTls(
  where: string,
  from: DownstreamTlsContext,
): Omit<ForeignServerTls, "handshakeTimeoutMs"> {
  const common = required(where, "common_tls_context", from.commonTlsContext);
  onlyFields(where, common, [
    "tlsParams",
    "alpnProtocols",
    "tlsCertificates",
    "tlsCertificateSdsSecretConfigs",
    "validationContext",
    "validationContextSdsSecretConfig",
    "combinedValidationContext",
  ]);
  const certificates = parseCertificates(where, common);
  if (certificates.length === 0) throw invalid(where, "a server needs a certificate");
  return {
    kind: "foreign",
    certificates,
    clients: parseClients(where, common, from.requireClientCertificate ?? false),
    ...parseTlsParameters(where, common.tlsParams),
    alpn: common.alpnProtocols,
  };
}

function parseClients(parent: string, from: CommonTlsContext, isRequired: boolean): ClientRules | undefined {
  const combined = from.combinedValidationContext;
  const own = combined?.defaultValidationContext ?? from.validationContext;
  const sds = combined?.validationContextSdsSecretConfig ?? from.validationContextSdsSecretConfig;
  if (own === undefined && sds === undefined) {
    if (isRequired) throw unsupported(parent, "a client certificate that nothing verifies");
    return undefined;
  }
  const where = `${parent}: validation context`;
  const rules = own ?? CertificateValidationContext.fromPartial({});
  onlyFields(where, rules, [
    "trustedCa",
    "crl",
    "matchTypedSubjectAltNames",
    "verifyCertificateSpki",
    "verifyCertificateHash",
    "trustChainVerification",
  ]);
  const roots = sds ? { sds: sdsName(where, sds) } : dataSource(where, rules.trustedCa);
  if (roots === undefined) throw unsupported(where, "clients' certificates without roots");
  return {
    required: isRequired,
    roots,
    untrusted: rules.trustChainVerification === TrustChain.ACCEPT_UNTRUSTED,
    crl: dataSource(where, rules.crl),
    names: rules.matchTypedSubjectAltNames.map((name) => parseCertificateName(where, name)),
    hashes: rules.verifyCertificateHash.map((hash) => hash.replaceAll(":", "").toLowerCase()),
    keys: rules.verifyCertificateSpki,
  };
}
