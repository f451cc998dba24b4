import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { ALGORITHMS, isAlgorithm, type JwtAlgorithm } from "./algorithms.ts";
import { type JsonObject, parseStrictObject } from "./strict-json.ts";

/** A key that tokens are verified with. */
export interface VerificationKey {
  /** Undefined: it may be meant by any token. */
  readonly kid: string | undefined;
  /** The only algorithm that it is for; undefined: all of its type. */
  readonly alg: JwtAlgorithm | undefined;
  readonly keyType: "RSA" | "EC" | "OKP";
  readonly curve: string;
  readonly key: KeyObject;
}

export type ParsedKeySet =
  | {
      readonly kind: "keys";
      readonly keys: readonly VerificationKey[];
      /** The set again with these keys and nothing else in it, always spelled the same. */
      readonly text: string;
    }
  | { readonly kind: "problem"; readonly reason: string };

/** A set with more keys makes every token that names none of them expensive to refuse. */
const MOST_KEYS = 100;
const LEAST_RSA_BITS = 2048;
const MOST_RSA_BITS = 8192;
const LONGEST_KID = 1024;
const CURVES = new Set(["P-256", "P-384", "P-521"]);

/**
 * The public keys of a JWK set (RFC 7517) that signatures can be verified with. Others are left out: shared secrets
 * (which would let whoever reads the set sign), keys for encryption, unknown types and curves, RSA below 2048 bits or
 * above 8192. A set without any that is left, and one with more than 100 keys, is a problem. Private parts are dropped.
 */
export function parseKeySet(text: string): ParsedKeySet {
  const set = parseStrictObject(text);
  const listed = set?.["keys"];
  if (!Array.isArray(listed)) return problem("it is no JSON object with a list `keys`");
  if (listed.length > MOST_KEYS) return problem(`it has ${listed.length} keys (limit ${MOST_KEYS})`);
  const usable = listed.map(usableKey).filter((key) => key !== undefined);
  if (usable.length === 0) return problem("it has no public key of a type that is taken (RSA, EC, Ed25519)");
  return {
    kind: "keys",
    keys: usable.map(({ verification }) => verification),
    text: JSON.stringify({ keys: usable.map(({ jwk }) => jwk) }),
  };
}

function problem(reason: string): ParsedKeySet {
  return { kind: "problem", reason };
}

interface UsableKey {
  readonly verification: VerificationKey;
  readonly jwk: JsonWebKey;
}

function usableKey(written: unknown): UsableKey | undefined {
  if (typeof written !== "object" || written === null) return undefined;
  const from = written as JsonObject;
  const { kty, kid, alg, use, crv } = from;
  if (use !== undefined && use !== "sig") return undefined;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > LONGEST_KID)) return undefined;
  if (alg !== undefined && !isAlgorithm(alg)) return undefined;
  const part = publicPart(from);
  if (part === undefined) return undefined;
  const keyType = kty as VerificationKey["keyType"];
  const curve = typeof crv === "string" ? crv : "";
  const scheme = alg === undefined ? undefined : ALGORITHMS.get(alg);
  if (scheme !== undefined && (scheme.keyType !== keyType || scheme.curve !== curve)) return undefined;
  const key = importKey(part);
  if (key === undefined) return undefined;
  return {
    verification: { kid: kid === "" ? undefined : kid, alg, keyType, curve, key },
    jwk: { ...part, ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) },
  };
}

function publicPart({ kty, n, e, crv, x, y }: JsonObject): JsonWebKey | undefined {
  switch (kty) {
    case "RSA":
      return isText(n) && isText(e) ? { kty, n, e } : undefined;
    case "EC":
      return isText(crv) && CURVES.has(crv) && isText(x) && isText(y) ? { kty, crv, x, y } : undefined;
    case "OKP":
      return crv === "Ed25519" && isText(x) ? { kty, crv, x } : undefined;
    default:
      return undefined;
  }
}

function importKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    const key = createPublicKey({ format: "jwk", key: jwk });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS;
    return bits >= LEAST_RSA_BITS && bits <= MOST_RSA_BITS ? key : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
