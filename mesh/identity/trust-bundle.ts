import type { TrustDomain } from "./trust-domain.ts";

/** The certificates that identities of a trust domain are verified against. */
export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** PEM, one certificate each. Several during a change of the root. */
  readonly roots: readonly string[];
  /** Grows with every change of the roots. */
  readonly sequence: number;
}
