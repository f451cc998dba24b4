import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import {
  type CaFields,
  issuerFields,
  signIntermediate,
  signRoot,
} from "../../controlplane/ca/certificate-template.ts";
import { randomSerial } from "../../controlplane/ca/serial.ts";
import { signatureAlgorithmOf } from "../../controlplane/ca/signature-algorithm.ts";
import { readCertificateFacts, subjectKeyId } from "../../mesh/identity/certificate-facts.ts";

export const CA_KEYS = ["P-256", "P-384", "RSA 2048"] as const;
export type CaKey = (typeof CA_KEYS)[number];

/** A CA of a test with its key. */
export interface TestCa {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export function newCaKey(kind: CaKey): KeyObject {
  if (kind === "RSA 2048") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const namedCurve = kind === "P-256" ? "prime256v1" : "secp384r1";
  return generateKeyPairSync("ec", { namedCurve }).privateKey;
}

export function rootCa(trustDomain: string, key: KeyObject): TestCa {
  const algorithm = signatureAlgorithmOf(key);
  const bytes = signRoot(fields(trustDomain, key), algorithm, (tbs) => sign(algorithm.hash, tbs, key));
  return { certificate: new X509Certificate(bytes), key };
}

/** A CA for leaves below another one, for a key of which its public half is enough. */
export function intermediateCa(above: TestCa, trustDomain: string, key: KeyObject): X509Certificate {
  const facts = readCertificateFacts(above.certificate.raw);
  const algorithm = signatureAlgorithmOf(above.key);
  const issuer = issuerFields(facts.subject, Buffer.from(subjectKeyId(facts) ?? "", "hex"), algorithm);
  const bytes = signIntermediate(issuer, fields(trustDomain, key), (tbs) =>
    sign(algorithm.hash, tbs, above.key),
  );
  return new X509Certificate(bytes);
}

function fields(trustDomain: string, key: KeyObject): CaFields {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const now = Math.floor(Date.now() / 1000) * 1000;
  return {
    trustDomain,
    publicKeyDer: publicKey.export({ type: "spki", format: "der" }),
    serial: randomSerial(),
    notBeforeMs: now - 3_600_000,
    notAfterMs: now + 86_400_000,
  };
}
