import { createHash } from "node:crypto";
import { KEY_USAGE, OID, SAN_DNS, SAN_IP, SAN_URI } from "../../mesh/identity/certificate-facts.ts";
import { type DerNode, der, encodeDer, latin1, oid } from "../../mesh/identity/der.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { ipAddressBytes } from "./ip-address-bytes.ts";
import type { SignatureAlgorithm } from "./signature-algorithm.ts";

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

/** What varies from CA to CA. */
export interface CaFields extends Validity {
  readonly serial: Uint8Array;
  readonly trustDomain: string;
  readonly publicKeyDer: Uint8Array;
}

/** Signs with an authority's key and answers a DER signature. */
export type Sign = (bytes: Uint8Array) => Buffer;

/** Who signs, prepared once: its name, its key's identifier and how it signs. */
export interface IssuerFields {
  readonly name: DerNode;
  readonly authorityKeyIdentifier: DerNode;
  readonly algorithm: SignatureAlgorithm;
}

const COMMON_NAME = oid("2.5.4.3");
const ORGANIZATION = oid("2.5.4.10");
const V3 = der.explicit(0, der.integer("\x02"));
const NO_SUBJECT = der.sequence();

/** The same in each leaf: no CA, digitalSignature, both sides of TLS. Encoded once. */
const LEAF_USAGE: readonly DerNode[] = [
  extension(OID.keyUsage, der.bitString(String.fromCharCode(KEY_USAGE.digitalSignature), 7), "critical"),
  extension(OID.extendedKeyUsage, der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth))),
  extension(OID.basicConstraints, der.sequence(), "critical"),
].map(encodedOnce);

const CA_USAGE: DerNode = extension(
  OID.keyUsage,
  der.bitString(String.fromCharCode(KEY_USAGE.keyCertSign | KEY_USAGE.crlSign), 1),
  "critical",
);

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256, over the whole SubjectPublicKeyInfo. */
export function keyIdentifier(spkiDer: Uint8Array): Buffer {
  return createHash("sha256").update(spkiDer).digest().subarray(0, 20);
}

/** `keyId`: the issuer's own subject key identifier, which what it signs must name. */
export function issuerFields(name: DerNode, keyId: Uint8Array, algorithm: SignatureAlgorithm): IssuerFields {
  const id = der.sequence(der.implicit(0, latin1(keyId)));
  return {
    name: encodedOnce(name),
    authorityKeyIdentifier: encodedOnce(extension(OID.authorityKeyIdentifier, id)),
    algorithm,
  };
}

/** A signed leaf certificate's DER. The subject is empty, so the SANs are critical (RFC 5280 §4.1.2.6). */
export function signLeaf(issuer: IssuerFields, leaf: LeafFields, sign: Sign): Buffer {
  const names = extension(OID.subjectAltName, der.sequence(...altNames(leaf)), "critical");
  const extensions = [...LEAF_USAGE, issuer.authorityKeyIdentifier, names];
  return seal(certificate(issuer, NO_SUBJECT, leaf, extensions), issuer.algorithm, sign);
}

/**
 * A self-signed root's DER: CA, keyCertSign and cRLSign, the trust domain as its URI SAN (X509-SVID §3.1), and a
 * subject of its own for each key.
 */
export function signRoot(ca: CaFields, algorithm: SignatureAlgorithm, sign: Sign): Buffer {
  const id = keyIdentifier(ca.publicKeyDer);
  const issuer = issuerFields(authorityName(ca), id, algorithm);
  const extensions = [
    extension(OID.basicConstraints, der.sequence(der.true()), "critical"),
    CA_USAGE,
    extension(OID.subjectKeyIdentifier, der.octetString(latin1(id))),
    trustDomainName(ca.trustDomain),
  ];
  return seal(certificate(issuer, issuer.name, ca, extensions), algorithm, sign);
}

/**
 * The DER of a CA below another one, which may be that of a root's key (a cross-signature): it signs leaves and no more
 * CAs, and only for its trust domain, whoever got hold of its key: the name constraint is critical.
 */
export function signIntermediate(issuer: IssuerFields, ca: CaFields, sign: Sign): Buffer {
  const id = keyIdentifier(ca.publicKeyDer);
  const extensions = [
    ...intermediateExtensions(ca),
    extension(OID.subjectKeyIdentifier, der.octetString(latin1(id))),
    issuer.authorityKeyIdentifier,
  ];
  return seal(certificate(issuer, authorityName(ca), ca, extensions), issuer.algorithm, sign);
}

/** A PKCS#10 request for a CA of the trust domain, as `signIntermediate` would name it. */
export function signCaRequest(
  ca: Pick<CaFields, "trustDomain" | "publicKeyDer">,
  algorithm: SignatureAlgorithm,
  sign: Sign,
): Buffer {
  const wanted = der.set(der.sequence(...intermediateExtensions(ca)));
  const info = der.sequence(
    der.integer("\0"),
    authorityName(ca),
    der.encoded(ca.publicKeyDer),
    der.explicit(0, der.sequence(der.oid(OID.extensionRequest), wanted)),
  );
  return seal(info, algorithm, sign);
}

export interface CrlFields {
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly number: number;
  readonly revoked: readonly { readonly serial: Uint8Array; readonly atMs: number }[];
}

/** A revocation list's DER (RFC 5280 §5). */
export function signCrl(issuer: IssuerFields, crl: CrlFields, sign: Sign): Buffer {
  const entries = crl.revoked.map(({ serial, atMs }) =>
    der.sequence(der.integer(latin1(serial)), der.time(atMs)),
  );
  const number = Buffer.alloc(6);
  number.writeUIntBE(crl.number, 0, 6);
  const list = der.sequence(
    der.integer("\x01"),
    issuer.algorithm.identifier,
    issuer.name,
    der.time(crl.thisUpdateMs),
    der.time(crl.nextUpdateMs),
    ...(entries.length === 0 ? [] : [der.sequence(...entries)]),
    der.explicit(
      0,
      der.sequence(
        issuer.authorityKeyIdentifier,
        extension(OID.crlNumber, der.integer(latin1(shortestInteger(number)))),
      ),
    ),
  );
  return seal(list, issuer.algorithm, sign);
}

/** Of a CA for leaves: no CA below it, and none of another trust domain. */
function intermediateExtensions({ trustDomain }: Pick<CaFields, "trustDomain">): readonly DerNode[] {
  const permitted = der.sequence(der.implicit(SAN_URI, trustDomain));
  return [
    extension(OID.basicConstraints, der.sequence(der.true(), der.integer("\0")), "critical"),
    CA_USAGE,
    trustDomainName(trustDomain),
    extension(OID.nameConstraints, der.sequence(der.explicit(0, permitted)), "critical"),
  ];
}

function certificate(
  issuer: IssuerFields,
  subject: DerNode,
  fields: Validity & { readonly serial: Uint8Array; readonly publicKeyDer: Uint8Array },
  extensions: readonly DerNode[],
): DerNode {
  return der.sequence(
    V3,
    der.integer(latin1(fields.serial)),
    issuer.algorithm.identifier,
    issuer.name,
    der.sequence(der.time(fields.notBeforeMs), der.time(fields.notAfterMs)),
    subject,
    der.encoded(fields.publicKeyDer),
    der.explicit(3, der.sequence(...extensions)),
  );
}

function seal(content: DerNode, algorithm: SignatureAlgorithm, sign: Sign): Buffer {
  const bytes = encodeDer(content);
  const signature = der.bitString(latin1(sign(bytes)));
  return encodeDer(der.sequence(der.encoded(bytes), algorithm.identifier, signature));
}

/** Another name for each key: two authorities of one name would confuse whoever builds a path. */
function authorityName({
  trustDomain,
  publicKeyDer,
}: Pick<CaFields, "trustDomain" | "publicKeyDer">): DerNode {
  const id = keyIdentifier(publicKeyDer).toString("hex").slice(0, 16);
  return der.sequence(attribute(ORGANIZATION, trustDomain), attribute(COMMON_NAME, `Lateen root ${id}`));
}

function trustDomainName(trustDomain: string): DerNode {
  return extension(OID.subjectAltName, der.sequence(der.implicit(SAN_URI, `spiffe://${trustDomain}`)));
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

function encodedOnce(node: DerNode): DerNode {
  return der.encoded(encodeDer(node));
}

/** DER: no byte more than the value and its sign need. */
function shortestInteger(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const value = first === -1 ? Buffer.alloc(1) : bytes.subarray(first);
  return ((value[0] ?? 0) & 0x80) === 0 ? value : Buffer.concat([Buffer.alloc(1), value]);
}
