import { type KeyObject, verify } from "node:crypto";

/** Whether a key signed the bytes: with SHA-256 where its kind has a choice (EC in DER form, RSA by PKCS#1 v1.5). */
export function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(key.asymmetricKeyType === "ed25519" ? null : "sha256", bytes, key, signature);
  } catch {
    return false;
  }
}
