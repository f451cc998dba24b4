import type { ClientTls } from "../../../mesh/model/destination-rule.ts";
import type { TlsLimits } from "../../../mesh/model/mesh-config.ts";
import type { Service } from "../../../mesh/model/service.ts";
import type { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import {
  CommonTlsContext,
  UpstreamTlsContext,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { sdsSecret } from "../ads.ts";
import { credentialSecret } from "../gateway/credentials.ts";
import { clientSocket } from "../tls/mesh-tls.ts";
import { tlsParameters } from "../tls/tls-parameters.ts";
import type { UpstreamHttp } from "./connection-pool.ts";

/** Roots of the public web, where Debian and its kin keep them. */
const SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt";

/** What of a client its own TLS depends on. */
export interface TlsCaller {
  /** Whether its calls name the host that they are for; those to a declared upstream name localhost. */
  readonly namesHosts: boolean;
  /** Whether it may use Secrets of its namespace. */
  readonly hasSecrets: boolean;
}

export interface OriginatedTls {
  readonly socket: TransportSocket | undefined;
  /** The host of each call is the SNI, and what the certificate must be for. */
  readonly autoSni: boolean;
  readonly autoSan: boolean;
}

/** TLS that the application would otherwise speak itself. */
export function originatedTls(
  service: Pick<Service, "hostname" | "subjectAltNames">,
  tls: ClientTls,
  {
    isHttp,
    http,
    caller,
    limits,
  }: {
    readonly isHttp: boolean;
    readonly http: UpstreamHttp;
    readonly caller: TlsCaller;
    readonly limits: TlsLimits | undefined;
  },
): OriginatedTls {
  const host = service.hostname.startsWith("*") ? "" : service.hostname;
  // HTTP may be routed to any port. Where the service has no one name only the call can say which it is.
  const autoSni = tls.sni === "" && (host === "" || (isHttp && caller.namesHosts));
  const sni = tls.sni || (autoSni ? "" : host);
  const names = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : service.subjectAltNames;
  const autoSan = autoSni && names.length === 0 && !tls.insecureSkipVerify;
  const verified = names.length > 0 ? names : sni === "" ? [] : [sni];
  const context = UpstreamTlsContext.fromPartial({
    sni,
    commonTlsContext: {
      ...(tls.credentialName === "" ? fromFiles(tls, verified) : fromSecrets(tls, verified)),
      tlsParams: tlsParameters(limits),
      alpnProtocols: http === "http2" ? ["h2"] : isHttp && http === "http1" ? ["http/1.1"] : [],
    },
  });
  return { socket: clientSocket(context), autoSni, autoSan };
}

function fromFiles(tls: ClientTls, names: readonly string[]): CommonTlsContext {
  const ca = tls.caCertificates === "" || tls.caCertificates === "system" ? SYSTEM_ROOTS : tls.caCertificates;
  return CommonTlsContext.fromPartial({
    ...(tls.mode === "MUTUAL" && {
      tlsCertificates: [
        { certificateChain: { filename: tls.clientCertificate }, privateKey: { filename: tls.privateKey } },
      ],
    }),
    ...(!tls.insecureSkipVerify && {
      validationContext: {
        trustedCa: { filename: ca },
        matchTypedSubjectAltNames: names.map(sanMatcher),
        ...(tls.caCrl !== "" && { crl: { filename: tls.caCrl } }),
      },
    }),
  });
}

/** The client's SDS knows the Secrets of its own namespace by their names alone. */
function fromSecrets(tls: ClientTls, names: readonly string[]): CommonTlsContext {
  const name = credentialSecret(tls.credentialName);
  return CommonTlsContext.fromPartial({
    ...(tls.mode === "MUTUAL" && { tlsCertificateSdsSecretConfigs: [sdsSecret(name)] }),
    ...(!tls.insecureSkipVerify && {
      combinedValidationContext: {
        defaultValidationContext: { matchTypedSubjectAltNames: names.map(sanMatcher) },
        validationContextSdsSecretConfig: sdsSecret(`${name}-cacert`),
      },
    }),
  });
}

function sanMatcher(exact: string): SubjectAltNameMatcher {
  return {
    sanType: exact.includes("://") ? SubjectAltNameMatcher_SanType.URI : SubjectAltNameMatcher_SanType.DNS,
    matcher: { exact, ignoreCase: false },
    oid: "",
  };
}
