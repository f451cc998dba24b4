import { MeshError } from "../errors.ts";

declare const trustDomainBrand: unique symbol;

/** The name that all identities of one mesh share: lower-case letters, digits, `.`, `-`, `_` (SPIFFE ID §2.1). */
export type TrustDomain = string & { readonly [trustDomainBrand]: true };

const TRUST_DOMAIN = /^[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?$/;

export function isTrustDomain(text: string): text is TrustDomain {
  return TRUST_DOMAIN.test(text);
}

/** Throws `identity.invalid` for anything that is not a trust domain's name as it stands: nothing is normalised. */
export function parseTrustDomain(text: string): TrustDomain {
  if (isTrustDomain(text)) return text;
  throw new MeshError("identity.invalid", `parse trust domain ${JSON.stringify(text.slice(0, 80))}`, {
    hint: "a trust domain is 1 to 255 of a-z, 0-9, '.', '-' and '_', such as cluster.local",
  });
}
