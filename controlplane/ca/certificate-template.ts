import { createHash } from "node:crypto";
import { KEY_USAGE, OID, SAN_DNS, SAN_IP, SAN_URI } from "../../mesh/identity/certificate-facts.ts";
import { type DerNode, der, encodeDer, latin1, oid } from "../../mesh/identity/der.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { ipAddressBytes } from "./ip-address-bytes.ts";

/** When a certificate holds, in milliseconds since the epoch; certificates know whole seconds. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What varies from leaf to leaf. Everything else is the template. */
export interface LeafFields extends Validity {
  /** 16 bytes, the first bit clear. */
  readonly serial: Uint8Array;
  readonly spiffeId: SpiffeId;
  readonly publicKeyDer: Uint8Array;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Signs with ECDSA over SHA-256, the one algorithm of our authorities; answers a DER signature. */
export type SignSha256 = (bytes: Uint8Array) => Buffer;

const COMMON_NAME = oid("2.5.4.3");
const ORGANIZATION = oid("2.5.4.10");
const V3 = der.explicit(0, der.integer("\x02"));
const ECDSA_SHA256 = der.encoded(encodeDer(der.sequence(der.oid(oid("1.2.840.10045.4.3.2")))));
const NO_SUBJECT = der.sequence();

/** The same in each leaf: no CA, digitalSignature, both sides of TLS. Encoded once. */
const LEAF_USAGE: readonly DerNode[] = [
  extension(OID.keyUsage, der.bitString(String.fromCharCode(KEY_USAGE.digitalSignature), 7), "critical"),
  extension(OID.extendedKeyUsage, der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth))),
  extension(OID.basicConstraints, der.sequence(), "critical"),
].map((node) => der.encoded(encodeDer(node)));

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256, over the whole SubjectPublicKeyInfo. */
function keyIdentifier(spkiDer: Uint8Array): Buffer {
  return createHash("sha256").update(spkiDer).digest().subarray(0, 20);
}

/** The issuer's part in its leaves, prepared once: its name and its key's identifier. */
export interface IssuerFields {
  readonly name: DerNode;
  readonly authorityKeyIdentifier: DerNode;
}

export function issuerFields(trustDomain: string, spkiDer: Uint8Array): IssuerFields {
  const id = keyIdentifier(spkiDer);
  return {
    name: der.encoded(encodeDer(authorityName(trustDomain, id))),
    authorityKeyIdentifier: der.encoded(
      encodeDer(extension(OID.authorityKeyIdentifier, der.sequence(der.implicit(0, latin1(id))))),
    ),
  };
}

/** A signed leaf certificate's DER. The subject is empty, so the SANs are critical (RFC 5280 §4.1.2.6). */
export function signLeaf(issuer: IssuerFields, leaf: LeafFields, sign: SignSha256): Buffer {
  const tbs = der.sequence(
    V3,
    der.integer(latin1(leaf.serial)),
    ECDSA_SHA256,
    issuer.name,
    der.sequence(der.time(leaf.notBeforeMs), der.time(leaf.notAfterMs)),
    NO_SUBJECT,
    der.encoded(leaf.publicKeyDer),
    der.explicit(
      3,
      der.sequence(
        ...LEAF_USAGE,
        issuer.authorityKeyIdentifier,
        extension(OID.subjectAltName, der.sequence(...altNames(leaf)), "critical"),
      ),
    ),
  );
  return seal(tbs, sign);
}

/**
 * A self-signed root's DER: CA, keyCertSign and cRLSign, the trust domain as its URI SAN (X509-SVID §3.1), and a
 * subject of its own for each key.
 */
export function signRoot(
  trustDomain: string,
  publicKeyDer: Uint8Array,
  serial: Uint8Array,
  validity: Validity,
  sign: SignSha256,
): Buffer {
  const id = keyIdentifier(publicKeyDer);
  const name = authorityName(trustDomain, id);
  const usage = String.fromCharCode(KEY_USAGE.keyCertSign | KEY_USAGE.crlSign);
  const tbs = der.sequence(
    V3,
    der.integer(latin1(serial)),
    ECDSA_SHA256,
    name,
    der.sequence(der.time(validity.notBeforeMs), der.time(validity.notAfterMs)),
    name,
    der.encoded(publicKeyDer),
    der.explicit(
      3,
      der.sequence(
        extension(OID.basicConstraints, der.sequence(der.true()), "critical"),
        extension(OID.keyUsage, der.bitString(usage, 1), "critical"),
        extension(OID.subjectKeyIdentifier, der.octetString(latin1(id))),
        extension(OID.subjectAltName, der.sequence(der.implicit(SAN_URI, `spiffe://${trustDomain}`))),
      ),
    ),
  );
  return seal(tbs, sign);
}

function seal(tbs: DerNode, sign: SignSha256): Buffer {
  const bytes = encodeDer(tbs);
  return encodeDer(der.sequence(der.encoded(bytes), ECDSA_SHA256, der.bitString(latin1(sign(bytes)))));
}

function authorityName(trustDomain: string, id: Buffer): DerNode {
  return der.sequence(
    attribute(ORGANIZATION, trustDomain),
    attribute(COMMON_NAME, `Lateen root ${id.toString("hex").slice(0, 16)}`),
  );
}

function attribute(type: string, value: string): DerNode {
  return der.set(der.sequence(der.oid(type), der.utf8String(value)));
}

function altNames(leaf: LeafFields): readonly DerNode[] {
  return [
    der.implicit(SAN_URI, leaf.spiffeId),
    ...leaf.dnsNames.map((name) => der.implicit(SAN_DNS, name)),
    ...leaf.ipAddresses.map((address) => der.implicit(SAN_IP, latin1(ipAddressBytes(address)))),
  ];
}

function extension(id: string, value: DerNode, critical?: "critical"): DerNode {
  const bytes = der.octetString(latin1(encodeDer(value)));
  return critical === undefined
    ? der.sequence(der.oid(id), bytes)
    : der.sequence(der.oid(id), der.true(), bytes);
}
