import type { DataSource as DataSourceMessage } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  type TlsCertificate,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type { CommonTlsContext } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { DataSource, ForeignTls } from "../model/tls.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { parseTlsParameters, sdsName } from "./tls-parameters.ts";

type Verification = Pick<ForeignTls, "roots" | "crl" | "names">;

const NAME_KINDS: ReadonlyMap<SanType, ForeignTls["names"][number]["kind"]> = new Map([
  [SanType.DNS, "dns"],
  [SanType.URI, "uri"],
  [SanType.IP_ADDRESS, "ip"],
]);

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
  return {
    kind: "foreign",
    serverName,
    identity: parseIdentity(where, from),
    ...parseVerification(where, from),
    ...parseTlsParameters(where, from.tlsParams),
    alpn: from.alpnProtocols,
  };
}

function parseIdentity(where: string, from: CommonTlsContext): ForeignTls["identity"] {
  const [first, ...more] = [...from.tlsCertificates, ...from.tlsCertificateSdsSecretConfigs];
  if (more.length > 0) throw unsupported(where, "more than one certificate");
  if (first === undefined) return undefined;
  return "sdsConfig" in first ? { sds: sdsName(where, first) } : parseKeyPair(where, first);
}

function parseKeyPair(where: string, from: TlsCertificate): ForeignTls["identity"] {
  onlyFields(`${where}: certificate`, from, ["certificateChain", "privateKey"]);
  const chain = dataSource(where, from.certificateChain);
  const key = dataSource(where, from.privateKey);
  if (chain === undefined || key === undefined)
    throw invalid(where, "certificate chain or private key is missing");
  return { chain, key };
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
    names: parseNames(where, own),
  };
}

function parseNames(where: string, from: CertificateValidationContext | undefined): ForeignTls["names"] {
  return (from?.matchTypedSubjectAltNames ?? []).map((matcher) => parseName(where, matcher));
}

function parseName(where: string, { sanType, matcher }: SubjectAltNameMatcher): ForeignTls["names"][number] {
  const kind = NAME_KINDS.get(sanType);
  if (kind === undefined) throw unsupported(where, `subject alternative name type ${sanType}`);
  if (matcher?.exact === undefined || matcher.ignoreCase) {
    throw unsupported(where, "a name of a certificate that is not given exactly");
  }
  return { kind, name: matcher.exact };
}

function dataSource(where: string, from: DataSourceMessage | undefined): DataSource | undefined {
  if (from === undefined) return undefined;
  onlyFields(where, from, ["filename", "inlineBytes", "inlineString"]);
  if (from.filename !== undefined) return { file: from.filename };
  return { text: from.inlineString ?? new TextDecoder().decode(from.inlineBytes) };
}
