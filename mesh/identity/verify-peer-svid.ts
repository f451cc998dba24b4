import { MeshError } from "../errors.ts";
import { type CertificateFacts, KEY_USAGE, OID, readCertificateFacts, SAN_URI } from "./certificate-facts.ts";
import { encodeDer, latin1 } from "./der.ts";
import type { RevokedCertificates } from "./revoked-certificates.ts";
import { isSpiffeId, type SpiffeId, spiffeIdProblem } from "./spiffe-id.ts";

export type PeerSvidVerdict =
  | { readonly ok: true; readonly spiffeId: SpiffeId }
  | { readonly ok: false; readonly reason: string };

/**
 * What OpenSSL's path validation leaves unchecked (X509-SVID §5.2), on the certificate's DER: exactly one URI SAN that
 * is a SPIFFE ID of this trust domain, no CA, key usage digitalSignature without keyCertSign and cRLSign, and where
 * extended key usage is given both serverAuth and clientAuth. Call it after every handshake, on both sides; the chain,
 * the validity period and the signature are TLS's part. Whose ID it is (`describeSpiffeId`) is for the caller to judge.
 * `revoked`: what the mesh's authorities have taken back.
 */
export function verifyPeerSvid(
  der: Uint8Array,
  trustDomain: string,
  revoked: readonly RevokedCertificates[] = [],
): PeerSvidVerdict {
  let facts: CertificateFacts;
  try {
    facts = readCertificateFacts(der);
  } catch (error) {
    return refuse(error instanceof MeshError ? error.message : "it cannot be read");
  }
  return areRevoked(facts, revoked) ? refuse("it is revoked") : judgeFacts(facts, trustDomain);
}

/** Whether a certificate that was verified before is on one of these lists. Throws `identity.invalid` for no certificate. */
export function isRevoked(der: Uint8Array, revoked: readonly RevokedCertificates[]): boolean {
  return revoked.length > 0 && areRevoked(readCertificateFacts(der), revoked);
}

function areRevoked(facts: CertificateFacts, revoked: readonly RevokedCertificates[]): boolean {
  if (revoked.length === 0) return false;
  const issuer = latin1(encodeDer(facts.issuer));
  return revoked.some((list) => list.issuer === issuer && list.serials.has(facts.serial));
}

/** The same on a certificate that has been read already. */
export function judgeFacts(facts: CertificateFacts, trustDomain: string): PeerSvidVerdict {
  return usageProblem(facts) ?? identityOf(facts, trustDomain);
}

function usageProblem({ isCa, keyUsage, extendedKeyUsage }: CertificateFacts): PeerSvidVerdict | undefined {
  if (isCa) return refuse("it is a CA certificate");
  if (keyUsage === undefined) return refuse("it has no key usage");
  if ((keyUsage & KEY_USAGE.digitalSignature) === 0) return refuse("its key usage lacks digitalSignature");
  if ((keyUsage & KEY_USAGE.keyCertSign) !== 0) return refuse("its key usage has keyCertSign");
  if ((keyUsage & KEY_USAGE.crlSign) !== 0) return refuse("its key usage has cRLSign");
  if (extendedKeyUsage === undefined) return undefined;
  if (!extendedKeyUsage.includes(OID.serverAuth)) return refuse("its extended key usage lacks serverAuth");
  if (!extendedKeyUsage.includes(OID.clientAuth)) return refuse("its extended key usage lacks clientAuth");
  return undefined;
}

function identityOf(facts: CertificateFacts, trustDomain: string): PeerSvidVerdict {
  const [uri, ...more] = facts.altNames.filter(({ tag }) => tag === SAN_URI);
  if (uri === undefined) return refuse("it has no URI SAN");
  if (more.length > 0) return refuse(`it has ${more.length + 1} URI SANs`);
  if (!isSpiffeId(uri.value))
    return refuse(`its URI SAN is no SPIFFE ID: ${spiffeIdProblem(uri.value) ?? ""}`);
  if (!uri.value.startsWith(`spiffe://${trustDomain}/`)) return refuse("it is of another trust domain");
  return { ok: true, spiffeId: uri.value };
}

function refuse(reason: string): PeerSvidVerdict {
  return { ok: false, reason };
}
