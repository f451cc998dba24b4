import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN (?<label>[A-Z0-9 ]{1,40})-----[^-]*-----END \k<label>-----/g;
/** A bundle of roots is the largest that there is. */
const MOST_BLOCKS = 500;

/** What is wrong with a PEM text of certificates. No message quotes it. */
export function certificateProblem(pem: string): string | undefined {
  const blocks = blocksOf(pem);
  const problem = blocksProblem(
    blocks,
    ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"],
    "certificate",
  );
  if (problem !== undefined) return problem;
  for (const [index, block] of blocks.entries()) {
    if (readCertificate(block.text) === undefined)
      return `has a certificate that cannot be read, number ${index + 1} of ${blocks.length}`;
  }
  return undefined;
}

/** What is wrong with a PEM text of revocation lists; what they say is not looked into. */
export function crlProblem(pem: string): string | undefined {
  return blocksProblem(blocksOf(pem), ["X509 CRL"], "revocation list");
}

/** What is wrong with a private key, by itself and with the first certificate of the chain. */
export function privateKeyProblem(pem: string, chain: string | undefined): string | undefined {
  const key = readKey(pem);
  if (key === undefined)
    return /ENCRYPTED/.test(pem)
      ? "is encrypted: give the key without a passphrase"
      : "is not a private key in PEM (-----BEGIN PRIVATE KEY-----)";
  const leaf = chain === undefined ? undefined : readCertificate(blocksOf(chain).at(0)?.text ?? "");
  return leaf === undefined || leaf.checkPrivateKey(key)
    ? undefined
    : "is not the key of the first certificate";
}

interface Block {
  readonly label: string;
  readonly text: string;
}

function blocksOf(pem: string): readonly Block[] {
  return [...pem.matchAll(BLOCK)].map((match) => ({ label: match.groups?.["label"] ?? "", text: match[0] }));
}

function blocksProblem(
  blocks: readonly Block[],
  labels: readonly string[],
  what: string,
): string | undefined {
  if (blocks.length === 0) return `is not a ${what} in PEM (-----BEGIN ${labels[0]}-----)`;
  if (blocks.length > MOST_BLOCKS) return `has more than ${MOST_BLOCKS} PEM blocks`;
  const other = blocks.find(({ label }) => !labels.includes(label));
  return other === undefined ? undefined : `has a PEM block labelled ${other.label}, which is not a ${what}`;
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
