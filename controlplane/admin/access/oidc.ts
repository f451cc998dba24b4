import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Caller, Grant } from "./caller.ts";

/** A claim's value, and what who has it may do. */
interface OidcRule extends Grant {
  readonly claim: string;
  readonly value: string;
}

/** An OpenID provider whose tokens are credentials here. */
export interface OidcOptions {
  /** As in `iss`, compared whole. */
  readonly issuer: string;
  /** What `aud` must hold. */
  readonly audience: string;
  /** Where the provider's keys are; left out: its discovery document says it. */
  readonly jwksUri?: string | undefined;
  /** Algorithms that are taken; asymmetric ones alone are known here. */
  readonly algorithms: readonly string[];
  /** The first that fits counts. */
  readonly roles: readonly OidcRule[];
}

/** Of the provider's answers. */
const TIMEOUT_MS = 5_000;
const KEYS_AGE_MS = 10 * 60_000;
/** An unknown key id asks the provider again at most this often. */
const COOLDOWN_MS = 30_000;
const CLOCK_TOLERANCE_S = 30;
const LARGEST_TOKEN = 16 * 1024;

interface FetchedKeys {
  readonly uri: string;
  readonly get: JWTVerifyGetKey;
}

/**
 * Knows the callers of one OpenID provider by their ID or access tokens (JWS, RFC 7515). There are no sessions: each call
 * brings its token and is judged anew. The provider's keys are in memory alone, for ten minutes; whoever it does not vouch
 * for any more is out after that, and while it is away nobody new comes in.
 */
export class OidcVerifier {
  readonly #options: OidcOptions;
  #keys: FetchedKeys | undefined;
  #lookedAt = 0;

  constructor(options: OidcOptions) {
    this.#options = options;
  }

  /**
   * The caller of a token; undefined when it is not one of this provider's, or no rule fits. Throws `admin.unavailable` when
   * the provider cannot be asked.
   */
  async verify(token: string): Promise<Caller | undefined> {
    const { issuer, audience, algorithms, roles } = this.#options;
    if (token.length > LARGEST_TOKEN) return undefined;
    let payload: JWTPayload;
    try {
      const checks = {
        issuer,
        audience,
        algorithms: [...algorithms],
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_S,
      };
      const keys = await this.#keySet();
      ({ payload } = await jwtVerify(token, keys.get, checks).catch(async (error: unknown) => {
        const moved = isAboutKeys(error) ? await this.#movedFrom(keys) : undefined;
        if (moved === undefined) throw error;
        return await jwtVerify(token, moved.get, checks);
      }));
    } catch (error) {
      if (error instanceof MeshError) throw error;
      if (isAboutKeys(error)) throw unavailable(issuer, error);
      if (error instanceof errors.JOSEError) return undefined;
      throw unavailable(issuer, error);
    }
    const rule = roles.find(({ claim, value }) => valuesOf(payload[claim]).includes(value));
    if (rule === undefined) return undefined;
    const { role, namespaces } = rule;
    return { credential: "oidc", name: `${issuer}#${payload.sub ?? ""}`, grant: { role, namespaces } };
  }

  async #keySet(): Promise<FetchedKeys> {
    const { jwksUri, issuer } = this.#options;
    this.#keys ??= keysAt(jwksUri ?? (await discover(issuer)));
    return this.#keys;
  }

  /** The keys at another place, when the provider says that they are there now; asked at most twice a minute. */
  async #movedFrom(before: FetchedKeys): Promise<FetchedKeys | undefined> {
    const { jwksUri, issuer } = this.#options;
    const now = Date.now();
    if (jwksUri !== undefined || Math.abs(now - this.#lookedAt) < COOLDOWN_MS) return undefined;
    this.#lookedAt = now;
    const uri = await discover(issuer);
    if (uri === before.uri) return undefined;
    this.#keys = keysAt(uri);
    return this.#keys;
  }
}

function keysAt(uri: string): FetchedKeys {
  const limits = { timeoutDuration: TIMEOUT_MS, cacheMaxAge: KEYS_AGE_MS, cooldownDuration: COOLDOWN_MS };
  return { uri, get: createRemoteJWKSet(new URL(uri), limits) };
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const document = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
    if (document.issuer !== issuer) throw new Error(`the document is of ${JSON.stringify(document.issuer)}`);
    const uri = String(document.jwks_uri);
    if (!isSafe(uri)) throw new Error(`its jwks_uri ${JSON.stringify(uri)} is not an https URL`);
    return uri;
  } catch (error) {
    throw unavailable(issuer, error);
  }
}

/** Keys come over https, or from this host. */
export function isSafe(uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  return (
    protocol === "https:" || (protocol === "http:" && /^(127\.[\d.]+|localhost|\[::1\])$/.test(hostname))
  );
}

function valuesOf(claim: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.filter((value) => typeof value === "string");
}

/** The provider did not answer, or not with keys: nothing is known of the token. */
function isAboutKeys(error: unknown): boolean {
  return (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC")
  );
}

function unavailable(issuer: string, cause: unknown): MeshError {
  return new MeshError("admin.unavailable", `ask ${issuer} for its keys: ${messageOf(cause)}`, {
    cause,
    hint: "use another credential, or the unix socket on the server's host, until it answers",
  });
}
