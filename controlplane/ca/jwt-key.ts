import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";

/** What to sign. The caller has decided that the identity belongs to who gets the token. */
export interface JwtSvidRequest {
  readonly spiffeId: SpiffeId;
  /** At least one. */
  readonly audiences: readonly string[];
}

export interface IssuedJwt {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly notAfterMs: number;
}

/** Signs JWT-SVIDs (SPIFFE JWT-SVID) by ES256. */
export interface JwtKey {
  /** With its `kid`, the key's thumbprint (RFC 7638). */
  readonly publicJwk: JsonWebKey;
  /** A token that has passed its own check. Times are whole seconds since the epoch. */
  issue(request: JwtSvidRequest, times: { readonly from: number; readonly to: number }): string;
}

/** PKCS#8 PEM. */
export function newJwtKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Throws `config.invalid` for a key of another kind. */
export function openJwtKey(key: KeyObject): JwtKey {
  const publicKey = createPublicKey(key);
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
  if (kty !== "EC" || crv !== "P-256" || x === undefined || y === undefined)
    throw new MeshError("config.invalid", "open the key of JWT-SVIDs: it is no P-256 key");
  // RFC 7638 §3: the members in this order and no others.
  const kid = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  const header = encode({ alg: "ES256", kid, typ: "JWT" });
  return {
    publicJwk: { kty, crv, x, y, kid, alg: "ES256" },
    issue({ spiffeId, audiences }, { from, to }) {
      const claims = { sub: spiffeId, aud: audiences, iat: from, exp: to };
      const signed = `${header}.${encode(claims)}`;
      const dsaEncoding = "ieee-p1363";
      const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding });
      if (!verify("sha256", Buffer.from(signed), { key: publicKey, dsaEncoding }, signature))
        throw new MeshError("ca.self-check", `sign a token for ${spiffeId}: its signature does not verify`);
      return `${signed}.${signature.toString("base64url")}`;
    },
  };
}

/** A JWK set of these keys. */
export function jwkSet(keys: readonly JwtKey[]): string {
  return JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) });
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
