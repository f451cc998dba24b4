import { createPrivateKey, X509Certificate } from "node:crypto";
import { MeshError } from "../errors.ts";
import { authorityKeyId, readCertificateFacts } from "./certificate-facts.ts";
import { joinPemChain, splitPemChain } from "./pem.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { verifyPeerSvid } from "./verify-peer-svid.ts";

/** An identity with its proof: certificate chain and private key. Times are milliseconds since the epoch. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  /** PEM, leaf first, without the root. */
  readonly chainPem: string;
  /** PKCS#8 PEM. Secret. */
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hexadecimal. */
  readonly serial: string;
  /** Key identifier of the authority that signed it, hexadecimal; empty when it names none. */
  readonly authority: string;
}

/**
 * Puts together what a CA answered and the key that was asked for: the leaf must be a valid SVID of the trust domain
 * and carry the key's public half. Roots at the end of the chain are left out. Throws `identity.invalid`. The chain is
 * not verified against a bundle here: TLS does that.
 */
export function parseX509Svid(input: {
  readonly chain: string | readonly string[];
  readonly keyPem: string;
  readonly trustDomain: string;
}): X509Svid {
  const chain = readChain(typeof input.chain === "string" ? input.chain : joinPemChain(input.chain));
  const [leaf] = chain;
  if (leaf === undefined) throw new MeshError("identity.invalid", "read an SVID: the chain is empty");
  const verdict = verifyPeerSvid(leaf.raw, input.trustDomain);
  if (!verdict.ok) throw new MeshError("identity.invalid", `read an SVID: ${verdict.reason}`);
  if (!hasKey(leaf, input.keyPem)) {
    throw new MeshError(
      "identity.invalid",
      `read the SVID of ${verdict.spiffeId}: the key is not the certificate's`,
    );
  }
  return {
    spiffeId: verdict.spiffeId,
    chainPem: joinPemChain(chain.filter((certificate) => !isSelfIssued(certificate)).map(String)),
    keyPem: input.keyPem,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    serial: leaf.serialNumber.toLowerCase(),
    authority: authorityKeyId(readCertificateFacts(leaf.raw)) ?? "",
  };
}

function readChain(pem: string): readonly X509Certificate[] {
  try {
    return splitPemChain(pem).map((certificate) => new X509Certificate(certificate));
  } catch (cause) {
    throw MeshError.from(cause, "identity.invalid");
  }
}

function hasKey(leaf: X509Certificate, keyPem: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.ca && certificate.checkIssued(certificate);
}
