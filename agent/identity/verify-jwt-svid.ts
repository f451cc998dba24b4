import { isSpiffeId, type SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import type { JsonObject } from "../../mesh/jwt/strict-json.ts";
import { parseToken } from "../../mesh/jwt/token.ts";
import { tokenRefusal } from "../../mesh/jwt/verify-token.ts";

export type JwtVerdict =
  | {
      readonly ok: true;
      readonly spiffeId: SpiffeId;
      readonly claims: JsonObject;
      /** Seconds since the epoch. */
      readonly expires: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Hosts' clocks drift. */
const CLOCK_SKEW_SECONDS = 30;

/** JWT-SVID §2.1: these families and no others. */
const ALGORITHM = /^(RS|ES|PS)(256|384|512)$/;

/**
 * Judges a JWT-SVID by the keys of the bundle (JWT-SVID §4): its form, algorithm, signature, time, that it is for the
 * audience by its exact name, and that its subject is of the bundle's trust domain. Keys that a token brings are not looked
 * at.
 */
export function verifyJwtSvid(
  text: string,
  audience: string,
  { trustDomain, jwtKeys }: Pick<TrustBundle, "trustDomain" | "jwtKeys">,
  nowMs: number,
): JwtVerdict {
  const token = parseToken(text);
  if (typeof token === "string") return refused(token);
  const { alg, header, claims, kid } = token;
  const { typ } = header;
  if (typ !== undefined && typ !== "JWT" && typ !== "JOSE") return refused("its typ is neither JWT nor JOSE");
  if (!ALGORITHM.test(alg)) return refused(`its algorithm ${alg} is not one of JWT-SVIDs`);
  const { sub, aud, exp } = claims;
  if (typeof sub !== "string" || !isSpiffeId(sub)) return refused("its subject is no SPIFFE ID");
  if (!sub.startsWith(`spiffe://${trustDomain}/`))
    return refused(`it is not of the trust domain ${trustDomain}`);
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audience === "" || !audiences.includes(audience)) return refused("it is not for this audience");
  const parsed = parseKeySet(jwtKeys);
  const keys =
    parsed.kind === "keys" ? parsed.keys.filter((key) => kid === undefined || key.kid === kid) : [];
  const rules = { audiences: [], keys, clockSkewSeconds: CLOCK_SKEW_SECONDS, requireExpiration: true };
  const problem = tokenRefusal(token, rules, Math.floor(nowMs / 1000));
  if (problem !== undefined || typeof exp !== "number") return refused(problem ?? "it has no expiration");
  return { ok: true, spiffeId: sub, claims, expires: exp };
}

function refused(reason: string): JwtVerdict {
  return { ok: false, reason };
}
