import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";

/** What to certify. The caller has decided that the identity belongs to the holder of this key. */
export interface CertificateRequest {
  readonly spiffeId: SpiffeId;
  /** SubjectPublicKeyInfo of a key whose possession was proven. */
  readonly publicKeyDer: Uint8Array;
  /** A wish, held within the authority's bounds. Left out: what is usual for the kind of identity. */
  readonly ttlMs?: number;
  /** Names beside the SPIFFE ID, for a server that strangers connect to. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** The agent that gets it, for the journal; left out: the server itself. */
  readonly agentId?: string;
}

/** A certificate that has passed the authority's own check. Times are milliseconds since the epoch. */
export interface IssuedCertificate {
  readonly spiffeId: SpiffeId;
  /** PEM, leaf first, root last. */
  readonly chain: readonly string[];
  /** Hexadecimal. */
  readonly serial: string;
  /** Key identifier of the authority that signed it, hexadecimal. */
  readonly authority: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The trust domain's authority: signs certificates and says by which roots they are verified. */
export interface CertificateAuthority {
  /** The bundle as it is now; another object after each change. */
  readonly bundle: TrustBundle;
  /**
   * Signs a leaf certificate. Rejects with `ca.unavailable` when it cannot sign now and with `ca.self-check` when what
   * it made is not what was asked for: nothing unchecked gets out.
   */
  issue(request: CertificateRequest): Promise<IssuedCertificate>;
  /** Calls back with the new bundle after each change of it, until the signal is aborted. */
  onBundleChange(listener: (bundle: TrustBundle) => void, signal: AbortSignal): void;
}
