import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { derToPem } from "../../mesh/identity/pem.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { CaSource } from "./ca-source.ts";
import { type CaFields, signRoot } from "./certificate-template.ts";
import { randomSerial } from "./serial.ts";
import { signatureAlgorithmOf } from "./signature-algorithm.ts";
import { validateCa } from "./validate-ca.ts";

const TEN_YEARS_MS = 3653 * 24 * 3600 * 1000;
/** So that leaves, which are backdated too, lie inside its validity from the first minute on. */
const BACKDATE_MS = 3_600_000;

/** Roots that are made here, P-256, good for ten years. */
export function selfSignedSource(trustDomain: string, clock: Clock): CaSource {
  return {
    kind: "self-signed",
    makesKeys: true,
    ownsRoots: true,
    next: async () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
      const certificate = selfSignedRoot(privateKey, trustDomain, clock.now());
      const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      return { keyPem, certificate, intermediates: [], roots: [certificate] };
    },
  };
}

function selfSignedRoot(key: KeyObject, trustDomain: string, now: number): string {
  const notBeforeMs = Math.floor((now - BACKDATE_MS) / 1000) * 1000;
  const algorithm = signatureAlgorithmOf(key);
  const ca: CaFields = {
    trustDomain,
    publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
    serial: randomSerial(),
    notBeforeMs,
    notAfterMs: notBeforeMs + TEN_YEARS_MS,
  };
  const bytes = signRoot(ca, algorithm, (tbs) => sign(algorithm.hash, tbs, key));
  validateCa(bytes, ca);
  return derToPem(bytes, "CERTIFICATE");
}
