import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { JwtVerdict } from "../identity/verify-jwt-svid.ts";
import type { CallerSvids } from "./caller-svids.ts";

/** What one connection's caller is given; asked anew whenever something may have changed. */
export interface CallerView {
  svids(): CallerSvids;
  /** Those that the caller may have now, whether there is a certificate of them or not. */
  identities(): readonly SpiffeId[];
  bundle(): TrustBundle;
  /** A JWT-SVID of one of its identities. Throws `ca.refused` or `ca.unavailable`. */
  token(spiffeId: SpiffeId, audiences: readonly string[]): Promise<string>;
  validate(token: string, audience: string): JwtVerdict;
  /** Calls back after each change until the returned function is called. */
  onChange(listener: () => void): () => void;
}
