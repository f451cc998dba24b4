import { X509Certificate } from "node:crypto";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { KEY_USAGE, OID, readCertificateFacts, SAN_URI } from "../../mesh/identity/certificate-facts.ts";
import { childrenOf, decodeDer, primitive, SEQUENCE, taggedChildren } from "../../mesh/identity/der.ts";
import type { CaFields } from "./certificate-template.ts";

const WHAT = "a name constraint";

/**
 * Reads a new CA certificate's bytes back as a peer would, before anything is signed with it or sent along with a leaf.
 * `issuer`: the CA above it; left out: it is a root, which signs itself. Below a root it must be bound to its trust domain
 * by a critical name constraint, and to leaves by its path length. Throws `ca.self-check`.
 */
export function validateCa(bytes: Uint8Array, wanted: CaFields, issuer?: X509Certificate): void {
  const problem = problemWith(bytes, wanted, issuer);
  if (problem === undefined) return;
  throw new MeshError("ca.self-check", `make a CA of ${wanted.trustDomain}: ${problem}`, {
    hint: "this is a defect of Lateen: the CA is not used; please report it",
  });
}

function problemWith(
  bytes: Uint8Array,
  wanted: CaFields,
  issuer: X509Certificate | undefined,
): string | undefined {
  try {
    const certificate = new X509Certificate(bytes);
    const above = issuer ?? certificate;
    const facts = readCertificateFacts(bytes);
    if (!facts.isCa) return "it is no CA's";
    if (facts.keyUsage !== (KEY_USAGE.keyCertSign | KEY_USAGE.crlSign)) return "its key usage is another";
    if (!facts.publicKeyDer.equals(wanted.publicKeyDer)) return "its key is another";
    if (certificate.validFromDate.getTime() !== wanted.notBeforeMs) return "its validity is another";
    if (certificate.validToDate.getTime() !== wanted.notAfterMs) return "its validity is another";
    if (!certificate.checkIssued(above)) return "it names another issuer";
    if (!certificate.verify(above.publicKey)) return "its signature does not verify";
    if (issuer === undefined) return undefined;
    if (wanted.notAfterMs > issuer.validToDate.getTime()) return "its validity is outside of the issuer's";
    if (facts.pathLength !== 0) return "it may have CAs below it";
    const isCritical = facts.unreadCritical.includes(OID.nameConstraints);
    const names = permittedUris(facts.extensions.get(OID.nameConstraints) ?? "");
    return isCritical && names.join() === wanted.trustDomain
      ? undefined
      : "it is not bound to its trust domain alone";
  } catch (error) {
    return messageOf(error);
  }
}

/** RFC 5280 §4.2.1.10: hosts of URIs, where nothing else is said. */
function permittedUris(extension: string): readonly string[] {
  const [permitted, ...more] = childrenOf(decodeDer(Buffer.from(extension, "latin1"), WHAT), SEQUENCE, WHAT);
  if (more.length > 0) return [];
  return (taggedChildren(permitted, 0) ?? []).map((subtree) => {
    const [base, ...bounds] = childrenOf(subtree, SEQUENCE, WHAT);
    return base?.type === SAN_URI && bounds.length === 0 ? (primitive(base) ?? "") : "";
  });
}
