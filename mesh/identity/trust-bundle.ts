import type { TrustDomain } from "./trust-domain.ts";

/** The certificates that identities of a trust domain are verified against. */
export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** PEM, one certificate each. Several during a change of the root. */
  readonly roots: readonly string[];
  /**
   * PEM revocation lists of who is banned, one by each authority that still has leaves; none while nobody is banned. They
   * hold as long as their authority does: an outage of the server must not make them stale.
   */
  readonly crls: readonly string[];
  /** Key identifiers (hexadecimal) of authorities on their way out: what they signed is to be renewed. */
  readonly retiring: readonly string[];
  /** Over which time agents spread these renewals. */
  readonly renewWithinMs: number;
  /** The public keys of JWT-SVIDs, as a JWK set. */
  readonly jwtKeys: string;
  /** Grows with every change of the bundle. */
  readonly sequence: number;
}
