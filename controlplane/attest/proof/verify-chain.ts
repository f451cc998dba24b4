import { X509Certificate } from "node:crypto";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import {
  type CertificateFacts,
  KEY_USAGE,
  readCertificateFacts,
} from "../../../mesh/identity/certificate-facts.ts";
import { splitPemChain } from "../../../mesh/identity/pem.ts";

export type ChainVerdict =
  | { readonly ok: true; readonly leaf: X509Certificate; readonly facts: CertificateFacts }
  | { readonly ok: false; readonly reason: string };

export interface ChainRules {
  /** PEM. */
  readonly roots: readonly string[];
  /** Milliseconds since the epoch: when every certificate but the leaf must hold. */
  readonly now: number;
  /** How long ago the leaf may have expired. */
  readonly leafGraceMs?: number;
  /** Encoded OID that must be in the leaf's extended key usage, which must be there; left out: not looked at. */
  readonly purpose?: string;
}

interface Link {
  readonly certificate: X509Certificate;
  readonly facts: CertificateFacts;
}

const MOST_INTERMEDIATES = 4;

/**
 * Walks a chain, leaf first, to one of the roots: each certificate signed by the next one's key, every issuer a CA that
 * may sign certificates and holds now. It is for proofs that come in a message, where no TLS library validates the path,
 * so it is strict where a full validation is subtle: an issuer with a path length or a critical extension that is not
 * read here (name constraints, policies) is refused. Keys: EC P-256 and P-384, RSA 2048 to 8192 bits, Ed25519.
 */
export function verifyChain(chainPem: string, rules: ChainRules): ChainVerdict {
  try {
    return walk(splitPemChain(chainPem).map(toLink), rules);
  } catch (error) {
    return refuse(error instanceof MeshError ? error.message : `it cannot be read (${messageOf(error)})`);
  }
}

function walk([leaf, ...rest]: readonly Link[], rules: ChainRules): ChainVerdict {
  if (leaf === undefined) return refuse("the chain is empty");
  const intermediates = rest.filter(({ certificate }) => !isSelfIssued(certificate));
  if (intermediates.length > MOST_INTERMEDIATES)
    return refuse(`more than ${MOST_INTERMEDIATES} intermediates`);
  const problem = leafProblem(leaf, rules) ?? keyProblem(leaf.certificate);
  if (problem !== undefined) return refuse(problem);
  const roots = rules.roots.map(toLink);
  let last = leaf;
  for (const [depth, issuer] of intermediates.entries()) {
    const reason = issuerProblem(last, issuer, depth, rules.now);
    if (reason !== undefined) return refuse(reason);
    last = issuer;
  }
  const reasons = roots.map((root) => issuerProblem(last, root, intermediates.length, rules.now));
  if (!reasons.includes(undefined)) return refuse(reasons.join("; ") || "there are no roots");
  return { ok: true, leaf: leaf.certificate, facts: leaf.facts };
}

function leafProblem(
  { certificate, facts }: Link,
  { now, leafGraceMs = 0, purpose }: ChainRules,
): string | undefined {
  if (facts.isCa) return "the leaf is a CA certificate";
  if (facts.unreadCritical.length > 0) return "the leaf has a critical extension that is not read here";
  if (now < certificate.validFromDate.getTime()) return "the leaf does not hold yet";
  if (now > certificate.validToDate.getTime() + leafGraceMs) return "the leaf has expired";
  if (facts.keyUsage !== undefined && (facts.keyUsage & KEY_USAGE.digitalSignature) === 0)
    return "the leaf's key usage lacks digitalSignature";
  return purpose !== undefined && facts.extendedKeyUsage?.includes(purpose) !== true
    ? "the leaf's extended key usage does not allow this"
    : undefined;
}

/** `depth`: how many intermediates are below this issuer. */
function issuerProblem(below: Link, issuer: Link, depth: number, now: number): string | undefined {
  const { certificate, facts } = issuer;
  if (!facts.isCa) return "an issuer is no CA";
  if (facts.keyUsage !== undefined && (facts.keyUsage & KEY_USAGE.keyCertSign) === 0)
    return "an issuer's key usage lacks keyCertSign";
  if (facts.pathLength !== undefined && depth > facts.pathLength)
    return "the chain is longer than an issuer allows";
  if (facts.unreadCritical.length > 0) return "an issuer has a critical extension that is not read here";
  if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime())
    return "an issuer does not hold now";
  if (!below.certificate.checkIssued(certificate) || !below.certificate.verify(certificate.publicKey))
    return "no root or intermediate signed it";
  return keyProblem(certificate);
}

function keyProblem({ publicKey }: X509Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === "ed25519") return undefined;
  if (type === "ec" && (details?.namedCurve === "prime256v1" || details?.namedCurve === "secp384r1"))
    return undefined;
  const bits = details?.modulusLength ?? 0;
  return type === "rsa" && bits >= 2048 && bits <= 8192
    ? undefined
    : "a key of the chain is of a kind that is not taken";
}

function toLink(pem: string): Link {
  const certificate = new X509Certificate(pem);
  return { certificate, facts: readCertificateFacts(certificate.raw) };
}

function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.ca && certificate.checkIssued(certificate);
}

function refuse(reason: string): ChainVerdict {
  return { ok: false, reason };
}
