import { createPublicKey, type KeyObject, sign, X509Certificate } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import {
  type CertificateFacts,
  KEY_USAGE,
  OID,
  readCertificateFacts,
  subjectKeyId,
} from "../../mesh/identity/certificate-facts.ts";
import { encodeDer } from "../../mesh/identity/der.ts";
import type { IssuingCa } from "./ca-source.ts";
import { type IssuerFields, issuerFields, keyIdentifier, type Sign } from "./certificate-template.ts";
import { signatureAlgorithmOf } from "./signature-algorithm.ts";

/** A CA that signs leaves here: checked once, then used for each. */
export interface Issuer {
  /** Its key's identifier, hexadecimal: what its leaves name. */
  readonly id: string;
  readonly trustDomain: string;
  readonly certificate: X509Certificate;
  readonly validFromMs: number;
  readonly validToMs: number;
  readonly publicKey: KeyObject;
  readonly fields: IssuerFields;
  readonly sign: Sign;
  /** Whether it may sign other CAs, as a cross-signature needs. */
  readonly signsCas: boolean;
  readonly signsCrls: boolean;
}

/** Throws `config.invalid` for a CA that cannot sign for the trust domain. */
export function openIssuer(ca: IssuingCa, key: KeyObject, trustDomain: string): Issuer {
  const certificate = new X509Certificate(ca.certificate);
  const facts = readCertificateFacts(certificate.raw);
  const problem = issuerProblem(certificate, facts, key);
  if (problem !== undefined) {
    throw new MeshError("config.invalid", `open the CA of ${trustDomain}: ${problem}`, {
      hint: "its certificate and key must be those of a CA that may sign certificates",
    });
  }
  const publicKey = createPublicKey(key);
  const spkiDer = publicKey.export({ type: "spki", format: "der" });
  const id = subjectKeyId(facts) ?? keyIdentifier(spkiDer).toString("hex");
  const algorithm = signatureAlgorithmOf(publicKey);
  return {
    id,
    trustDomain,
    certificate,
    validFromMs: certificate.validFromDate.getTime(),
    validToMs: certificate.validToDate.getTime(),
    publicKey,
    fields: issuerFields(facts.subject, Buffer.from(id, "hex"), algorithm),
    sign: (bytes) => sign(algorithm.hash, bytes, key),
    signsCas: maySignCas(facts),
    signsCrls: facts.keyUsage === undefined || (facts.keyUsage & KEY_USAGE.crlSign) !== 0,
  };
}

function issuerProblem(
  certificate: X509Certificate,
  facts: CertificateFacts,
  key: KeyObject,
): string | undefined {
  if (!facts.isCa) return "its certificate is no CA's";
  if (facts.keyUsage !== undefined && (facts.keyUsage & KEY_USAGE.keyCertSign) === 0) {
    return "its key usage lacks keyCertSign";
  }
  if (!certificate.checkPrivateKey(key)) return "its key is not the certificate's";
  if (encodeDer(facts.subject).length <= 2) return "its subject is empty";
  return undefined;
}

/** A path length of zero, or any bound as we do not count: then the CA signs leaves only. */
function maySignCas({ extensions }: CertificateFacts): boolean {
  // SEQUENCE { BOOLEAN TRUE } and nothing behind it.
  return Buffer.from(extensions.get(OID.basicConstraints) ?? "", "latin1").length <= 5;
}
