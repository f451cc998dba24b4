import type { DataSource as DataSourceMessage } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  type TlsCertificate,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type { CommonTlsContext } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { CertificateName, CertificateSource, DataSource } from "../model/tls.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { sdsName } from "./tls-parameters.ts";

const NAME_KINDS: ReadonlyMap<SanType, CertificateName["kind"]> = new Map([
  [SanType.DNS, "dns"],
  [SanType.URI, "uri"],
  [SanType.IP_ADDRESS, "ip"],
  [SanType.EMAIL, "email"],
]);

/** The certificates that a context presents, each with its key. */
export function parseCertificates(where: string, from: CommonTlsContext): readonly CertificateSource[] {
  return [
    ...from.tlsCertificates.map((pair) => parseKeyPair(where, pair)),
    ...from.tlsCertificateSdsSecretConfigs.map((secret) => ({ sds: sdsName(where, secret) })),
  ];
}

function parseKeyPair(where: string, from: TlsCertificate): CertificateSource {
  onlyFields(`${where}: certificate`, from, ["certificateChain", "privateKey"]);
  const chain = dataSource(where, from.certificateChain);
  const key = dataSource(where, from.privateKey);
  if (chain === undefined || key === undefined)
    throw invalid(where, "certificate chain or private key is missing");
  return { chain, key };
}

export function parseCertificateName(
  where: string,
  { sanType, matcher }: SubjectAltNameMatcher,
): CertificateName {
  const kind = NAME_KINDS.get(sanType);
  if (kind === undefined) throw unsupported(where, `subject alternative name type ${sanType}`);
  if (matcher?.exact === undefined || matcher.ignoreCase) {
    throw unsupported(where, "a name of a certificate that is not given exactly");
  }
  return { kind, name: matcher.exact };
}

export function dataSource(where: string, from: DataSourceMessage | undefined): DataSource | undefined {
  if (from === undefined) return undefined;
  onlyFields(where, from, ["filename", "inlineBytes", "inlineString"]);
  if (from.filename !== undefined) return { file: from.filename };
  return { text: from.inlineString ?? new TextDecoder().decode(from.inlineBytes) };
}
