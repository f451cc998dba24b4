import type { StringMatch } from "./match.ts";

interface TlsParameters {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names, best first; empty: Node's defaults. */
  readonly ciphers: readonly string[];
  readonly curves: readonly string[];
  readonly alpn: readonly string[];
}

/** TLS with peers of the mesh, who are told by their SPIFFE IDs. */
interface MeshContext extends TlsParameters {
  /** SDS name of the own certificate and key; undefined when none is presented. */
  readonly certificate: string | undefined;
  /** SDS name of the roots that a peer must chain to; undefined when the peer is not asked. */
  readonly roots: string | undefined;
  /** Any of them must match the peer's URI SAN; none given: any does. */
  readonly sans: readonly StringMatch[];
}

export interface DownstreamTls extends MeshContext {
  readonly certificate: string;
  readonly requireClientCertificate: boolean;
  readonly handshakeTimeoutMs: number;
}

export interface MeshTls extends MeshContext {
  readonly kind: "mesh";
  readonly roots: string;
  /** Empty: none is sent. */
  readonly serverName: string;
}

/** TLS with a server outside the mesh, as the application would otherwise speak it itself. */
export interface ForeignTls extends TlsParameters {
  readonly kind: "foreign";
  /** Undefined: no certificate is presented. */
  readonly identity: SdsName | { readonly chain: DataSource; readonly key: DataSource } | undefined;
  /** Undefined: any certificate will do. */
  readonly roots: SdsName | DataSource | undefined;
  /** Revoked certificates. */
  readonly crl: DataSource | undefined;
  /** The certificate must be for one of them; none given: for anybody. */
  readonly names: readonly { readonly kind: "dns" | "uri" | "ip"; readonly name: string }[];
  /** Empty: none is sent. */
  readonly serverName: string;
}

export type UpstreamTls = MeshTls | ForeignTls;

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
