import type { StringMatch } from "./match.ts";

interface TlsContext {
  /** SDS name of the own certificate and key; undefined when none is presented. */
  readonly certificate: string | undefined;
  /** SDS name of the roots that a peer must chain to; undefined when the peer is not asked. */
  readonly roots: string | undefined;
  /** Any of them must match the peer's URI SAN; none given: any does. */
  readonly sans: readonly StringMatch[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names, best first; empty: Node's defaults. */
  readonly ciphers: readonly string[];
  readonly curves: readonly string[];
  readonly alpn: readonly string[];
}

export interface DownstreamTls extends TlsContext {
  readonly certificate: string;
  readonly requireClientCertificate: boolean;
}

export interface UpstreamTls extends TlsContext {
  readonly roots: string;
  /** Empty: none is sent. */
  readonly serverName: string;
}

/** What SDS delivers. The key stays in memory and is never printed. */
export type Secret =
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly chainPem: string;
      readonly keyPem: string;
    }
  | { readonly kind: "roots"; readonly name: string; readonly pem: string };
