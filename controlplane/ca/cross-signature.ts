import { X509Certificate } from "node:crypto";
import { derToPem } from "../../mesh/identity/pem.ts";
import { signIntermediate } from "./certificate-template.ts";
import type { Issuer } from "./issuer.ts";
import { randomSerial } from "./serial.ts";
import { validateCa } from "./validate-ca.ts";

const DAY_MS = 86_400_000;

/**
 * The next CA's key, certified by the one before it (PEM), for as long as a leaf lives at most and a day: it goes with each
 * leaf and is made anew as the days pass. One that lasted would vouch for a CA that was revoked because its key is not to be
 * trusted any more, for as long as the root behind it is.
 */
export function crossSignature(next: Issuer, signer: Issuer, longestLeafMs: number, now: number): string {
  const wanted = Math.floor((now + longestLeafMs + DAY_MS) / 1000) * 1000;
  const ca = {
    trustDomain: next.trustDomain,
    publicKeyDer: next.publicKey.export({ type: "spki", format: "der" }),
    serial: randomSerial(),
    notBeforeMs: next.validFromMs,
    notAfterMs: Math.min(wanted, next.validToMs, signer.validToMs),
  };
  const bytes = signIntermediate(signer.fields, ca, signer.sign);
  validateCa(bytes, ca, signer.certificate);
  return derToPem(bytes, "CERTIFICATE");
}

/** Until when it is good (milliseconds since the epoch). */
export function endOfCross(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}
