import type { StringMatch } from "./match.ts";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

export interface TlsParameters {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL names, best first; empty: the defaults. */
  readonly ciphers: readonly string[];
  readonly curves: readonly string[];
  readonly alpn: readonly string[];
}

/** TLS with peers of the mesh, who are told by their SPIFFE IDs. */
interface MeshContext extends TlsParameters {
  readonly kind: "mesh";
  /** SDS name of the own certificate and key; undefined when none is presented. */
  readonly certificate: string | undefined;
  /** SDS name of the roots that a peer must chain to. */
  readonly roots: string;
  /** Any of them must match the peer's URI SAN; none given: any does. */
  readonly sans: readonly StringMatch[];
}

interface ServerSettings {
  readonly handshakeTimeoutMs: number;
}

export interface MeshServerTls extends MeshContext, ServerSettings {
  readonly certificate: string;
}

/** TLS that ends here for clients outside the mesh, or instead of the application. */
export interface ForeignServerTls extends TlsParameters, ServerSettings {
  readonly kind: "foreign";
  /** At least one: a client is shown the first that suits the name it asks for and the keys it can check. */
  readonly certificates: readonly CertificateSource[];
  /** Undefined: clients are not asked for a certificate. */
  readonly clients: ClientRules | undefined;
}

/** Whom a server lets in by certificate. */
export interface ClientRules {
  /** Who shows none stays out. */
  readonly required: boolean;
  readonly roots: SdsName | DataSource;
  /** Whoever signed it will do. */
  readonly untrusted: boolean;
  /** Revoked certificates. */
  readonly crl: DataSource | undefined;
  /** The certificate must be for one of them; none given: for anybody. */
  readonly names: readonly CertificateName[];
  /** SHA-256 of the certificate, hexadecimal in lower case. With these or `keys`, one of both must be met. */
  readonly hashes: readonly string[];
  /** SHA-256 of the public key (SPKI), base64. */
  readonly keys: readonly string[];
}

export type DownstreamTls = MeshServerTls | ForeignServerTls;

export interface MeshTls extends MeshContext {
  /** Empty: none is sent. */
  readonly serverName: string;
}

/** TLS with a server outside the mesh, as the application would otherwise speak it itself. */
export interface ForeignTls extends TlsParameters {
  readonly kind: "foreign";
  /** Undefined: no certificate is presented. */
  readonly identity: CertificateSource | undefined;
  /** Undefined: any certificate will do. */
  readonly roots: SdsName | DataSource | undefined;
  /** Revoked certificates. */
  readonly crl: DataSource | undefined;
  /** The certificate must be for one of them; none given: for anybody. */
  readonly names: readonly CertificateName[];
  /** Empty: none is sent. */
  readonly serverName: string;
}

export type UpstreamTls = MeshTls | ForeignTls;

/** A name of a certificate's holder: a subject alternative name, exactly. */
export interface CertificateName {
  readonly kind: "dns" | "uri" | "ip" | "email";
  readonly name: string;
}

export type CertificateSource = SdsName | { readonly chain: DataSource; readonly key: DataSource };

interface SdsName {
  readonly sds: string;
}

export type DataSource = { readonly file: string } | { readonly text: string };

/** What SDS delivers. The key stays in memory and is never printed. */
export type Secret =
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly chainPem: string;
      readonly keyPem: string;
    }
  | {
      readonly kind: "roots";
      readonly name: string;
      readonly pem: string;
      /** Revocation lists, PEM, one each. */
      readonly crls: readonly string[];
    };
