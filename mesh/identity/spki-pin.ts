import { createHash, type X509Certificate } from "node:crypto";

/** SHA-256 over a public key's SubjectPublicKeyInfo, base64url: what a join token pins the CA by (RFC 7469 §2.4). */
export function spkiPin(spkiDer: Uint8Array): string {
  return createHash("sha256").update(spkiDer).digest("base64url");
}

/** The pin of a certificate's key. */
export function certificatePin(certificate: X509Certificate): string {
  return spkiPin(certificate.publicKey.export({ type: "spki", format: "der" }));
}
