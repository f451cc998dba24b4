import type { SecureContextOptions } from "node:tls";
import type {
  DownstreamTls,
  MeshServerTls,
  MeshTls,
  TlsParameters,
  TlsVersion,
  UpstreamTls,
} from "../../model/tls.ts";
import type { HeldCertificate, HeldRoots, SecretStore } from "./secret-store.ts";

/** What OpenSSL is set up with, and from which state of the secrets. */
export interface TlsMaterial {
  readonly options: SecureContextOptions;
  readonly certificate: HeldCertificate;
  readonly roots: HeldRoots;
  /** Equal as long as identity and trust are: what sessions may be resumed under. */
  readonly epoch: string;
}

/** TLS 1.3 suites have no setting in Envoy; AES-128 first costs least (data-path.md §3). */
const TLS13_SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** What Envoy agrees on below TLS 1.3 where nothing is said. */
export const DEFAULT_SUITES: readonly string[] = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
];

const OLD_VERSIONS: ReadonlySet<TlsVersion> = new Set(["TLSv1", "TLSv1.1"]);

/** OpenSSL resumes no session of a client that was asked for its certificate without one. */
export const SESSION_CONTEXT = "lateen";

/** Undefined as long as a secret that the context names has not come. */
export function tlsMaterial(secrets: SecretStore, tls: MeshServerTls | MeshTls): TlsMaterial | undefined {
  const certificate = secrets.certificate(tls.certificate);
  const roots = secrets.roots(tls.roots);
  if (certificate === undefined || roots === undefined) return undefined;
  return {
    options: {
      cert: certificate.chainPem,
      key: certificate.keyPem,
      ca: [roots.pem],
      ...parameterOptions(tls),
      sessionIdContext: SESSION_CONTEXT,
    },
    certificate,
    roots,
    epoch: epochOf(certificate, roots),
  };
}

/** Of the material that there would be; empty as long as there is none. */
export function tlsEpoch(secrets: SecretStore, tls: MeshTls): string {
  const certificate = secrets.certificate(tls.certificate);
  const roots = secrets.roots(tls.roots);
  return certificate !== undefined && roots !== undefined ? epochOf(certificate, roots) : "";
}

function epochOf(certificate: HeldCertificate, roots: HeldRoots): string {
  return `${certificate.version}/${roots.version}`;
}

/** Versions, suites and curves as OpenSSL takes them. */
export function parameterOptions({
  minVersion,
  maxVersion,
  ciphers,
  curves,
}: Pick<TlsParameters, "minVersion" | "maxVersion" | "ciphers" | "curves">): SecureContextOptions {
  // OpenSSL has nothing below 1.2 at any higher level.
  const isOld = OLD_VERSIONS.has(minVersion);
  const wanted = isOld && ciphers.length === 0 ? DEFAULT_SUITES : ciphers;
  const suites = [...TLS13_SUITES, ...wanted, ...(isOld ? ["@SECLEVEL=0"] : [])];
  return {
    minVersion,
    maxVersion,
    ...(wanted.length > 0 ? { ciphers: suites.join(":") } : {}),
    ...(curves.length > 0 ? { ecdhCurve: curves.join(":") } : {}),
  };
}

/** The secrets that must be there before a context can be used. */
export function secretNames(tls: DownstreamTls | UpstreamTls): string[] {
  if (tls.kind === "mesh") return [tls.certificate, tls.roots].filter((name) => name !== undefined);
  const sources =
    "certificates" in tls ? [...tls.certificates, tls.clients?.roots] : [tls.identity, tls.roots];
  return sources.flatMap((source) => (source && "sds" in source ? [source.sds] : []));
}
