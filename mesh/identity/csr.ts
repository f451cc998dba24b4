import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { MeshError } from "../errors.ts";
import { type AltName, OID, readAltNames, SAN_DNS, SAN_URI } from "./certificate-facts.ts";
import {
  childrenOf,
  type DerNode,
  decodeDer,
  der,
  encodeDer,
  integerBytes,
  latin1,
  malformed,
  oid,
  oidBytes,
  SEQUENCE,
  SET,
  taggedChildren,
  wholeBitString,
} from "./der.ts";
import { derToPem, pemToDer } from "./pem.ts";
import { type AcceptedPublicKey, parsePublicKey } from "./public-key.ts";

/** What a request is good for: a public key whose private half the sender has. */
export interface ParsedCsr {
  /** SubjectPublicKeyInfo in the one encoding that this key has. */
  readonly publicKeyDer: Buffer;
  /** The names it asks for. URIs as they stand, others with their kind in front (`dns:…`), so that none equals a URI. */
  readonly sans: readonly string[];
}

const WHAT = "a certificate request";

/** Signature algorithms of requests: encoded OID → the key type and hash that it stands for. */
const SIGNATURES: ReadonlyMap<string, { readonly keyType: "ec" | "rsa"; readonly hash: string }> = new Map([
  [oid("1.2.840.10045.4.3.2"), { keyType: "ec", hash: "sha256" }],
  [oid("1.2.840.10045.4.3.3"), { keyType: "ec", hash: "sha384" }],
  [oid("1.2.840.10045.4.3.4"), { keyType: "ec", hash: "sha512" }],
  [oid("1.2.840.113549.1.1.11"), { keyType: "rsa", hash: "sha256" }],
  [oid("1.2.840.113549.1.1.12"), { keyType: "rsa", hash: "sha384" }],
  [oid("1.2.840.113549.1.1.13"), { keyType: "rsa", hash: "sha512" }],
]);
const ECDSA_SHA256 = oid("1.2.840.10045.4.3.2");

/**
 * A PKCS#10 request (PEM) that carries an EC key's public half and the proof that its sender has the private one.
 * Subject and SANs stay empty: who gets which identity is the server's knowledge, not the request's.
 */
export function createCsr(privateKey: KeyObject): string {
  if (privateKey.asymmetricKeyType !== "ec") {
    throw new MeshError("identity.invalid", "create a certificate request", { hint: "use a P-256 key" });
  }
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const info = der.sequence(der.integer("\x00"), der.sequence(), der.encoded(publicKey), der.explicit(0));
  const signature = sign("sha256", encodeDer(info), privateKey);
  const request = der.sequence(info, der.sequence(der.oid(ECDSA_SHA256)), der.bitString(latin1(signature)));
  return derToPem(encodeDer(request), "CERTIFICATE REQUEST");
}

/**
 * Reads a request and verifies its proof of possession. Throws `identity.invalid` when it is malformed, its key is of
 * a kind that the mesh does not take, or it was not signed with that key.
 */
export function parseCsr(pem: string): ParsedCsr {
  if (pem.length > 16 * 1024) throw malformed(WHAT, "it is longer than 16 KiB");
  const [info, algorithm, signature] = childrenOf(
    decodeDer(pemToDer(pem, "CERTIFICATE REQUEST"), WHAT),
    SEQUENCE,
    WHAT,
  );
  const [version, subject, spki, attributes] = childrenOf(info, SEQUENCE, WHAT);
  if (!info || !spki || integerBytes(version, WHAT) !== "\x00") throw malformed(WHAT, "it is not PKCS#10 v1");
  childrenOf(subject, SEQUENCE, WHAT);
  const key = parsePublicKey(encodeDer(spki));
  verifyPossession(key, info, algorithm, wholeBitString(signature, WHAT));
  return {
    publicKeyDer: key.spkiDer,
    sans: requestedNames(attributes).map(nameText),
  };
}

/**
 * The signature is checked over the re-encoding of what was parsed: what is not DER, and so could be read in two ways,
 * has no valid signature here. The key goes in as PEM text, which Node takes in faster than any other form.
 */
function verifyPossession(
  key: AcceptedPublicKey,
  info: DerNode,
  algorithm: DerNode | undefined,
  signature: string,
): void {
  const scheme = SIGNATURES.get(oidBytes(childrenOf(algorithm, SEQUENCE, WHAT)[0], WHAT));
  if (scheme === undefined || scheme.keyType !== key.type) {
    throw malformed(WHAT, "its signature algorithm is not accepted");
  }
  const publicKey = derToPem(key.spkiDer, "PUBLIC KEY");
  if (!verifies(scheme.hash, encodeDer(info), publicKey, Buffer.from(signature, "latin1"))) {
    throw malformed(WHAT, "it is not signed with the key that it carries");
  }
}

/** False as well for what OpenSSL cannot take as a key, such as a point that is not on its curve. */
function verifies(hash: string, bytes: Buffer, publicKey: string, signature: Buffer): boolean {
  try {
    return verify(hash, bytes, publicKey, signature);
  } catch {
    return false;
  }
}

/** RFC 2986 §4.1, RFC 2985 §5.4.2: the extensions are the one value of the attribute `extensionRequest`. */
function requestedNames(attributes: DerNode | undefined): readonly AltName[] {
  const names: AltName[] = [];
  for (const attribute of taggedChildren(attributes, 0) ?? []) {
    const [type, values] = childrenOf(attribute, SEQUENCE, WHAT);
    if (oidBytes(type, WHAT) !== OID.extensionRequest) continue;
    for (const extensions of childrenOf(values, SET, WHAT)) names.push(...readAltNames(extensions, WHAT));
  }
  return names;
}

function nameText({ tag, value }: AltName): string {
  if (tag === SAN_URI) return value;
  return tag === SAN_DNS ? `dns:${value}` : `name-${tag}:${value}`;
}
