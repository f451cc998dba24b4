import { createHash, type KeyObject, timingSafeEqual } from "node:crypto";
import {
  CONTEXT,
  childrenOf,
  type DerNode,
  decodeDer,
  der,
  encodeDer,
  malformed,
  octetStringBytes,
  oid,
  oidBytes,
  primitive,
  SEQUENCE,
  SET,
  taggedChildren,
} from "../../../mesh/identity/der.ts";
import { derToPem } from "../../../mesh/identity/pem.ts";
import { isSignedBy } from "./signature.ts";

const WHAT = "a signed document";
const SIGNED_DATA = oid("1.2.840.113549.1.7.2");
const MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4");
const SHA256 = oid("2.16.840.1.101.3.4.2.1");

/** PKCS#7 SignedData (RFC 5652 §5) with its content inside and one signer, over SHA-256. */
export interface SignedDocument {
  readonly content: Buffer;
  /** PEM, as they are in it: not looked at yet. */
  readonly certificates: readonly string[];
  isSignedBy(key: KeyObject): boolean;
}

/** Throws `identity.invalid` for what has not that form. */
export function readSignedDocument(bytes: Uint8Array): SignedDocument {
  const [type, wrapped] = childrenOf(decodeDer(bytes, WHAT), SEQUENCE, WHAT);
  if (oidBytes(type, WHAT) !== SIGNED_DATA) throw malformed(WHAT, "it is not SignedData");
  const [, , inner, ...rest] = childrenOf(taggedChildren(wrapped, 0)?.[0], SEQUENCE, WHAT);
  const [, explicitContent] = childrenOf(inner, SEQUENCE, WHAT);
  const content = Buffer.from(octets(taggedChildren(explicitContent, 0)?.[0]), "latin1");
  const certificates = rest.flatMap((field) => taggedChildren(field, 0) ?? []);
  const [signer, ...more] = childrenOf(rest.at(-1), SET, WHAT);
  if (more.length > 0) throw malformed(WHAT, "it has more than one signer");
  const { signed, signature } = readSigner(signer, content);
  return {
    content,
    certificates: certificates.map((certificate) => derToPem(encodeDer(certificate), "CERTIFICATE")),
    isSignedBy: (key) => isSignedBy(key, signed, signature),
  };
}

/** What the signer has signed: the content, or attributes that have its digest in them. */
function readSigner(
  signer: DerNode | undefined,
  content: Buffer,
): { readonly signed: Buffer; readonly signature: Buffer } {
  const [, , digest, ...rest] = childrenOf(signer, SEQUENCE, WHAT);
  if (oidBytes(childrenOf(digest, SEQUENCE, WHAT)[0], WHAT) !== SHA256) {
    throw malformed(WHAT, "its digest is not SHA-256");
  }
  const attributes = taggedChildren(rest[0], 0);
  const signature = Buffer.from(octetStringBytes(rest[attributes === undefined ? 1 : 2], WHAT), "latin1");
  if (attributes === undefined) return { signed: content, signature };
  const stated = attributes
    .map((attribute) => childrenOf(attribute, SEQUENCE, WHAT))
    .filter(([type]) => oidBytes(type, WHAT) === MESSAGE_DIGEST)
    .map(([, values]) => octetStringBytes(childrenOf(values, SET, WHAT)[0], WHAT));
  const [only] = stated;
  const actual = createHash("sha256").update(content).digest();
  const claimed = Buffer.from(only ?? "", "latin1");
  if (stated.length !== 1 || claimed.length !== actual.length || !timingSafeEqual(claimed, actual)) {
    throw malformed(WHAT, "its digest is another");
  }
  // RFC 5652 §5.4: signed as a SET, although it is sent as [0].
  return { signed: encodeDer(der.set(...attributes)), signature };
}

/** An OCTET STRING, which BER may send in pieces. */
function octets(node: DerNode | undefined): string {
  if (node === undefined || node.tagClass === CONTEXT) throw malformed(WHAT, "it has no content");
  const whole = primitive(node);
  if (whole !== undefined) return octetStringBytes(node, WHAT);
  return (node.value as readonly DerNode[]).map((piece) => octetStringBytes(piece, WHAT)).join("");
}
