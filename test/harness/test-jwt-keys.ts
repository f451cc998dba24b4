import { createPrivateKey, type KeyObject } from "node:crypto";
import { type JwtKey, jwkSet, newJwtKey, openJwtKey } from "../../controlplane/ca/jwt-key.ts";

/** A key as an authority has it, for tests of those who verify. */
export function testJwtKey(key: KeyObject = createPrivateKey(newJwtKey())): {
  readonly key: KeyObject;
  readonly jwt: JwtKey;
} {
  return { key, jwt: openJwtKey(key) };
}

export function testKeySet(...keys: readonly JwtKey[]): string {
  return jwkSet(keys);
}
