import type { SecureContextOptions } from "node:tls";
import type { DownstreamTls, MeshTls, UpstreamTls } from "../../model/tls.ts";
import type { HeldCertificate, HeldRoots, SecretStore } from "./secret-store.ts";

/** What OpenSSL is set up with, and from which state of the secrets. */
export interface TlsMaterial {
  readonly options: SecureContextOptions;
  readonly certificate: HeldCertificate;
  readonly roots: HeldRoots | undefined;
  /** Equal as long as identity and trust are: what sessions may be resumed under. */
  readonly epoch: string;
}

/** TLS 1.3 suites have no setting in Envoy; AES-128 first costs least (data-path.md §3). */
const TLS13_SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** Undefined as long as a secret that the context names has not come. */
export function tlsMaterial(secrets: SecretStore, tls: DownstreamTls | MeshTls): TlsMaterial | undefined {
  const certificate = secrets.certificate(tls.certificate);
  const roots = secrets.roots(tls.roots);
  if (certificate === undefined || (tls.roots !== undefined && roots === undefined)) return undefined;
  return {
    options: {
      cert: certificate.chainPem,
      key: certificate.keyPem,
      // Without roots of our own Node would trust the public web's.
      ca: roots === undefined ? [] : [roots.pem],
      ...parameterOptions(tls),
      sessionIdContext: "lateen",
    },
    certificate,
    roots,
    epoch: epochOf(certificate, roots),
  };
}

/** Of the material that there would be; empty as long as there is none. */
export function tlsEpoch(secrets: SecretStore, tls: DownstreamTls | MeshTls): string {
  const certificate = secrets.certificate(tls.certificate);
  const roots = secrets.roots(tls.roots);
  const isComplete = certificate !== undefined && (tls.roots === undefined || roots !== undefined);
  return isComplete ? epochOf(certificate, roots) : "";
}

function epochOf(certificate: HeldCertificate, roots: HeldRoots | undefined): string {
  return `${certificate.version}/${roots?.version ?? 0}`;
}

/** Versions, suites and curves as OpenSSL takes them. */
export function parameterOptions({
  minVersion,
  maxVersion,
  ciphers,
  curves,
}: Pick<MeshTls, "minVersion" | "maxVersion" | "ciphers" | "curves">): SecureContextOptions {
  return {
    minVersion,
    maxVersion,
    ...(ciphers.length > 0 ? { ciphers: [...TLS13_SUITES, ...ciphers].join(":") } : {}),
    ...(curves.length > 0 ? { ecdhCurve: curves.join(":") } : {}),
  };
}

/** The secrets that must be there before a context can be used. */
export function secretNames(tls: DownstreamTls | UpstreamTls): string[] {
  if ("kind" in tls && tls.kind === "foreign") {
    return [tls.identity, tls.roots].flatMap((source) => (source && "sds" in source ? [source.sds] : []));
  }
  return [tls.certificate, tls.roots].filter((name) => name !== undefined);
}
