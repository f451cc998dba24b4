import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

/** An issuer's keys by their id. */
export type IssuerKeys = JWTVerifyGetKey;

export interface JwtRules {
  readonly keys: IssuerKeys;
  readonly audience: string;
  /** `iss` as it must be; left out: not looked at. */
  readonly issuer?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type JwtVerdict =
  | { readonly ok: true; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string };

const TIMEOUT_MS = 5_000;
const KEYS_AGE_MS = 10 * 60_000;
/** A stranger who makes up key ids does not make us ask more often than this. */
const COOLDOWN_MS = 10_000;
const CLOCK_TOLERANCE_S = 60;
/** What Nomad and the clouds sign with: public keys, so that nobody who knows a key can make a token. */
const ALGORITHMS = ["RS256", "ES256", "EdDSA"];

/** Keys that are fetched when one is asked for that is not known, and again when they are old. `get`: a JWK set. */
export function issuerKeys(url: string, get?: (signal: AbortSignal) => Promise<unknown>): IssuerKeys {
  const limits = { timeoutDuration: TIMEOUT_MS, cacheMaxAge: KEYS_AGE_MS, cooldownDuration: COOLDOWN_MS };
  if (get === undefined) return createRemoteJWKSet(new URL(url), limits);
  return createRemoteJWKSet(new URL(url), {
    ...limits,
    [customFetch]: async (_, { signal }) => Response.json(await get(signal)),
  });
}

/**
 * Verifies a token for an audience by its issuer's keys: it must name its key and must expire. Throws
 * `registry.unavailable` when the issuer cannot be asked for its keys.
 */
export async function verifyJwt(token: string, { keys, now, ...rules }: JwtRules): Promise<JwtVerdict> {
  try {
    const named: IssuerKeys = (header, input) => {
      if (typeof header?.kid !== "string") throw new errors.JWSInvalid("it names no key");
      return keys(header, input);
    };
    const { payload } = await jwtVerify(token, named, {
      ...rules,
      algorithms: ALGORITHMS,
      requiredClaims: ["exp"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now),
    });
    return { ok: true, claims: payload };
  } catch (error) {
    if (error instanceof errors.JOSEError && !isAboutKeys(error)) return { ok: false, reason: error.message };
    throw MeshError.from(
      error instanceof MeshError
        ? error
        : new Error(`get an issuer's keys: ${messageOf(error)}`, { cause: error }),
      "registry.unavailable",
    );
  }
}

/** The issuer did not answer, or not with keys: nothing is known of the token. */
function isAboutKeys(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === "ERR_JOSE_GENERIC"
  );
}
