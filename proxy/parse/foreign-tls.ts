import type { CommonTlsContext } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { ForeignTls } from "../model/tls.ts";
import { dataSource, parseCertificateName, parseCertificates } from "./certificate-source.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { parseTlsParameters, sdsName } from "./tls-parameters.ts";

type Verification = Pick<ForeignTls, "roots" | "crl" | "names">;

/** TLS that DestinationRules start with SIMPLE and MUTUAL. */
export function parseForeignTls(where: string, from: CommonTlsContext, serverName: string): ForeignTls {
  onlyFields(where, from, [
    "tlsParams",
    "alpnProtocols",
    "tlsCertificates",
    "tlsCertificateSdsSecretConfigs",
    "validationContext",
    "validationContextSdsSecretConfig",
    "combinedValidationContext",
  ]);
  const [identity, ...more] = parseCertificates(where, from);
  if (more.length > 0) throw unsupported(where, "more than one certificate");
  return {
    kind: "foreign",
    serverName,
    identity,
    ...parseVerification(where, from),
    ...parseTlsParameters(where, from.tlsParams),
    alpn: from.alpnProtocols,
  };
}

function parseVerification(where: string, from: CommonTlsContext): Verification {
  const combined = from.combinedValidationContext;
  const own = combined?.defaultValidationContext ?? from.validationContext;
  const sds = combined?.validationContextSdsSecretConfig ?? from.validationContextSdsSecretConfig;
  if (own) {
    onlyFields(`${where}: validation context`, own, ["trustedCa", "crl", "matchTypedSubjectAltNames"]);
  }
  return {
    roots: sds ? { sds: sdsName(where, sds) } : dataSource(where, own?.trustedCa),
    crl: dataSource(where, own?.crl),
    names: (own?.matchTypedSubjectAltNames ?? []).map((name) => parseCertificateName(where, name)),
  };
}
