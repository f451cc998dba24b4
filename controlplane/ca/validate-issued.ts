import { X509Certificate } from "node:crypto";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import {
  type CertificateFacts,
  OID,
  readCertificateFacts,
  SAN_DNS,
  SAN_IP,
  SAN_URI,
} from "../../mesh/identity/certificate-facts.ts";
import { latin1 } from "../../mesh/identity/der.ts";
import { judgeFacts } from "../../mesh/identity/verify-peer-svid.ts";
import type { LeafFields } from "./certificate-template.ts";
import { ipAddressBytes } from "./ip-address-bytes.ts";
import type { Issuer } from "./issuer.ts";

/**
 * Reads a new certificate's bytes back as a peer would and compares them with what was to be issued: names, usage, key,
 * validity inside the issuer's, signature. Throws `ca.self-check`, so that a mistake in the template or in the codec
 * stays in this process.
 */
export function validateIssued(bytes: Uint8Array, wanted: LeafFields, issuer: Issuer): void {
  const problem = problemWith(bytes, wanted, issuer);
  if (problem === undefined) return;
  throw new MeshError("ca.self-check", `issue a certificate for ${wanted.spiffeId}: ${problem}`, {
    hint: "this is a defect of Lateen: nothing was handed out; please report it",
  });
}

function problemWith(bytes: Uint8Array, wanted: LeafFields, issuer: Issuer): string | undefined {
  try {
    const certificate = new X509Certificate(bytes);
    return (
      factsProblem(readCertificateFacts(bytes), wanted, issuer) ??
      validityProblem(certificate, wanted, issuer) ??
      signatureProblem(certificate, wanted, issuer)
    );
  } catch (error) {
    return messageOf(error);
  }
}

/** Everything that `verifyPeerSvid` asks for, and then that it is exactly what was asked for. */
function factsProblem(facts: CertificateFacts, wanted: LeafFields, issuer: Issuer): string | undefined {
  const verdict = judgeFacts(facts, issuer.trustDomain);
  if (!verdict.ok) return verdict.reason;
  if (verdict.spiffeId !== wanted.spiffeId) return "its SPIFFE ID is another";
  if (facts.altNames.map(({ tag, value }) => `${tag}:${value}`).join() !== wantedNames(wanted)) {
    return "its names are others";
  }
  if (facts.extendedKeyUsage?.join() !== `${OID.serverAuth},${OID.clientAuth}`) {
    return "its extended key usage is another";
  }
  return facts.publicKeyDer.equals(wanted.publicKeyDer) ? undefined : "its key is another";
}

function validityProblem(
  certificate: X509Certificate,
  wanted: LeafFields,
  issuer: Issuer,
): string | undefined {
  const notBefore = certificate.validFromDate.getTime();
  const notAfter = certificate.validToDate.getTime();
  if (notBefore !== wanted.notBeforeMs || notAfter !== wanted.notAfterMs || notBefore >= notAfter) {
    return "its validity is another";
  }
  const inside = notBefore >= issuer.validFromMs && notAfter <= issuer.validToMs;
  return inside ? undefined : "its validity is outside of the issuer's";
}

function signatureProblem(
  certificate: X509Certificate,
  wanted: LeafFields,
  issuer: Issuer,
): string | undefined {
  if (certificate.serialNumber.toLowerCase() !== Buffer.from(wanted.serial).toString("hex")) {
    return "its serial is another";
  }
  if (!certificate.checkIssued(issuer.certificate)) return "it names another issuer";
  return certificate.verify(issuer.publicKey) ? undefined : "its signature does not verify";
}

function wantedNames({ spiffeId, dnsNames, ipAddresses }: LeafFields): string {
  return [
    `${SAN_URI}:${spiffeId}`,
    ...dnsNames.map((name) => `${SAN_DNS}:${name}`),
    ...ipAddresses.map((address) => `${SAN_IP}:${latin1(ipAddressBytes(address))}`),
  ].join();
}
