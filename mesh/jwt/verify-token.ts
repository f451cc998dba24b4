import { constants, type KeyObject, type SignKeyObjectInput, verify } from "node:crypto";
import { ALGORITHMS, type SignatureScheme } from "./algorithms.ts";
import type { VerificationKey } from "./key-set.ts";
import type { JsonObject } from "./strict-json.ts";
import type { Token } from "./token.ts";

/** What a token of one issuer must be. */
export interface TokenRules {
  /** Empty: any. */
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
  readonly clockSkewSeconds: number;
  readonly requireExpiration: boolean;
}

/** Envoy's words, which callers are told. */
export type TokenRefusal =
  | "Jwt payload [exp] field is not a positive integer"
  | "Jwt is expired"
  | "Jwt not yet valid"
  | "Jwt has no expiration"
  | "Audiences in Jwt are not allowed"
  | "Jwks doesn't have key to match kid or alg from Jwt"
  | "Jwt verification fails";

/** Undefined: the token is genuine and in force. Its issuer has been looked at before. */
export function tokenRefusal(token: Token, rules: TokenRules, nowSeconds: number): TokenRefusal | undefined {
  return (
    timeProblem(token.claims, rules, nowSeconds) ??
    audienceProblem(token.claims, rules.audiences) ??
    signatureProblem(token, rules.keys)
  );
}

function timeProblem(claims: JsonObject, rules: TokenRules, nowSeconds: number): TokenRefusal | undefined {
  const { exp, nbf, iat } = claims;
  for (const time of [exp, nbf, iat]) {
    if (time !== undefined && !isTime(time)) return "Jwt payload [exp] field is not a positive integer";
  }
  const { clockSkewSeconds: skew } = rules;
  if (exp === undefined && rules.requireExpiration) return "Jwt has no expiration";
  if (exp !== undefined && nowSeconds > (exp as number) + skew) return "Jwt is expired";
  return nbf !== undefined && nowSeconds + skew < (nbf as number) ? "Jwt not yet valid" : undefined;
}

function isTime(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function audienceProblem(claims: JsonObject, wanted: readonly string[]): TokenRefusal | undefined {
  if (wanted.length === 0) return undefined;
  const aud = claims["aud"];
  const given: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const texts = given.filter((one) => typeof one === "string").map(bare);
  return wanted.some((one) => texts.includes(bare(one))) ? undefined : "Audiences in Jwt are not allowed";
}

/** Envoy compares audiences without their scheme and final slash. */
function bare(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

function signatureProblem(token: Token, keys: readonly VerificationKey[]): TokenRefusal | undefined {
  const scheme = ALGORITHMS.get(token.alg);
  const meant = keys.filter((key) => scheme !== undefined && isMeant(key, token, scheme));
  if (scheme === undefined || meant.length === 0) return "Jwks doesn't have key to match kid or alg from Jwt";
  return meant.some(({ key }) => isSignedBy(token, key, scheme)) ? undefined : "Jwt verification fails";
}

function isMeant(key: VerificationKey, { alg, kid }: Token, scheme: SignatureScheme): boolean {
  return (
    key.keyType === scheme.keyType &&
    key.curve === scheme.curve &&
    (key.alg === undefined || key.alg === alg) &&
    (key.kid === undefined || kid === undefined || key.kid === kid)
  );
}

function isSignedBy({ signed, signature }: Token, key: KeyObject, scheme: SignatureScheme): boolean {
  const options: Omit<SignKeyObjectInput, "key"> = scheme.pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { dsaEncoding: "ieee-p1363" };
  try {
    return verify(scheme.hash, Buffer.from(signed), { key, ...options }, signature);
  } catch {
    return false;
  }
}
