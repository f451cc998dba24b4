import {
  bitStringBytes,
  CONTEXT,
  childrenOf,
  type DerNode,
  decodeDer,
  encodeDer,
  integerBytes,
  isBoolean,
  malformed,
  octetStringBytes,
  oid,
  oidBytes,
  primitive,
  SEQUENCE,
  taggedChildren,
  UNIVERSAL,
} from "./der.ts";

/** Encoded OIDs of the extensions that decide who a certificate is for (RFC 5280 §4.2). */
export const OID = {
  subjectKeyIdentifier: oid("2.5.29.14"),
  keyUsage: oid("2.5.29.15"),
  subjectAltName: oid("2.5.29.17"),
  basicConstraints: oid("2.5.29.19"),
  authorityKeyIdentifier: oid("2.5.29.35"),
  extendedKeyUsage: oid("2.5.29.37"),
  serverAuth: oid("1.3.6.1.5.5.7.3.1"),
  clientAuth: oid("1.3.6.1.5.5.7.3.2"),
  nameConstraints: oid("2.5.29.30"),
  crlNumber: oid("2.5.29.20"),
  extensionRequest: oid("1.2.840.113549.1.9.14"),
} as const;

/** One subject alternative name: the tag of its kind (RFC 5280 §4.2.1.6) and its bytes as latin1. */
export interface AltName {
  readonly tag: number;
  readonly value: string;
}

export const SAN_DNS = 2;
export const SAN_URI = 6;
export const SAN_IP = 7;

/** First byte of the key usage bits. */
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;

/** What a certificate says about its holder, read from its DER; undefined: the extension is not there. */
export interface CertificateFacts {
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
  /** Hexadecimal, as it is encoded. */
  readonly serial: string;
  readonly issuer: DerNode;
  readonly subject: DerNode;
  readonly altNames: readonly AltName[];
  readonly isCa: boolean;
  /** How many CA certificates may be below it. */
  readonly pathLength: number | undefined;
  readonly keyUsage: number | undefined;
  /** Encoded OIDs. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Encoded OIDs of critical extensions that none of the fields above is read from. */
  readonly unreadCritical: readonly string[];
  /** Values of the extensions by their encoded OID. */
  readonly extensions: ReadonlyMap<string, string>;
}

/**
 * Reads a v3 certificate's DER. Throws `identity.invalid` for another version, for structure that is not X.509's, and
 * for an extension that occurs twice.
 */
export function readCertificateFacts(certificate: Uint8Array): CertificateFacts {
  const what = "a certificate";
  const [tbs] = childrenOf(decodeDer(certificate, what), SEQUENCE, what);
  const fields = childrenOf(tbs, SEQUENCE, what);
  const version = taggedChildren(fields[0], 0)?.[0];
  if (version === undefined || integerBytes(version, what) !== "\x02") throw malformed(what, "it is not v3");
  // RFC 5280 §4.1: version, serial, signature, issuer, validity, subject, key, then what is optional.
  const [, serial, , issuer, , subject, spki, ...optional] = fields;
  if (spki === undefined || issuer === undefined || subject === undefined) {
    throw malformed(what, "it has no public key");
  }
  const list = optional.map((field) => taggedChildren(field, 3)).find((found) => found !== undefined);
  return {
    publicKeyDer: encodeDer(spki),
    serial: hex(integerBytes(serial, what)),
    issuer,
    subject,
    ...interpret(readExtensions(list?.[0], what), what),
  };
}

/** Which key this is, in hexadecimal (RFC 5280 §4.2.1.2): what its leaves name as their authority's key. */
export function subjectKeyId({ extensions }: Pick<CertificateFacts, "extensions">): string | undefined {
  const bytes = extensions.get(OID.subjectKeyIdentifier);
  const what = "a subject key identifier";
  return bytes === undefined ? undefined : hex(octetStringBytes(decodeDer(bytes, what), what));
}

/** Which key signed it, in hexadecimal (RFC 5280 §4.2.1.1). */
export function authorityKeyId({ extensions }: Pick<CertificateFacts, "extensions">): string | undefined {
  const bytes = extensions.get(OID.authorityKeyIdentifier);
  if (bytes === undefined) return undefined;
  const what = "an authority key identifier";
  const id = childrenOf(decodeDer(bytes, what), SEQUENCE, what).find(
    ({ tagClass, type }) => tagClass === CONTEXT && type === 0,
  );
  const value = primitive(id);
  return value === undefined ? undefined : hex(value);
}

function hex(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("hex");
}

/** The SANs of an `Extensions` value, such as a request asks for. */
export function readAltNames(extensions: DerNode | undefined, what: string): readonly AltName[] {
  return altNames(readExtensions(extensions, what), what);
}

interface Extension {
  readonly critical: boolean;
  readonly value: string;
}

function readExtensions(node: DerNode | undefined, what: string): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  if (node === undefined) return found;
  for (const extension of childrenOf(node, SEQUENCE, what)) {
    const [id, ...rest] = childrenOf(extension, SEQUENCE, what);
    const [flag] = rest;
    const flagged = isBoolean(flag);
    const key = oidBytes(id, what);
    if (found.has(key)) throw malformed(what, "an extension occurs twice");
    const value = octetStringBytes(flagged ? rest[1] : flag, what);
    found.set(key, { critical: flagged && primitive(flag) !== "\0", value });
  }
  return found;
}

function interpret(
  extensions: ReadonlyMap<string, Extension>,
  what: string,
): Omit<CertificateFacts, "publicKeyDer" | "serial" | "issuer" | "subject"> {
  const usage = extensions.get(OID.keyUsage)?.value;
  const extended = extensions.get(OID.extendedKeyUsage)?.value;
  const constraints = extensions.get(OID.basicConstraints)?.value;
  return {
    extensions: new Map([...extensions].map(([id, { value }]) => [id, value])),
    altNames: altNames(extensions, what),
    isCa: isCa(constraints, what),
    pathLength: pathLength(constraints, what),
    keyUsage: usage === undefined ? undefined : firstByte(bitStringBytes(decodeDer(usage, what), what)),
    extendedKeyUsage:
      extended === undefined
        ? undefined
        : childrenOf(decodeDer(extended, what), SEQUENCE, what).map((purpose) => oidBytes(purpose, what)),
    unreadCritical: [...extensions].flatMap(([id, { critical }]) => (critical && !READ.has(id) ? [id] : [])),
  };
}

const READ: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
]);

function altNames(extensions: ReadonlyMap<string, Extension>, what: string): readonly AltName[] {
  const bytes = extensions.get(OID.subjectAltName)?.value;
  if (bytes === undefined) return [];
  return childrenOf(decodeDer(bytes, what), SEQUENCE, what).map((name) => {
    if (name.tagClass !== CONTEXT) throw malformed(what, "a subject alternative name is malformed");
    return { tag: name.type, value: primitive(name) ?? "" };
  });
}

/** An absent extension and an absent flag both mean: no CA (RFC 5280 §4.2.1.9). */
function isCa(bytes: string | undefined, what: string): boolean {
  if (bytes === undefined) return false;
  const [flag] = childrenOf(decodeDer(bytes, what), SEQUENCE, what);
  if (flag === undefined || flag.tagClass !== UNIVERSAL || !isBoolean(flag)) return false;
  return primitive(flag) !== "\x00";
}

function pathLength(bytes: string | undefined, what: string): number | undefined {
  if (bytes === undefined) return undefined;
  const length = childrenOf(decodeDer(bytes, what), SEQUENCE, what).find((field) => !isBoolean(field));
  if (length === undefined) return undefined;
  const [value = "", ...more] = integerBytes(length, what);
  // More than 127 certificates are no chain: the bound is then none.
  return more.length > 0 ? undefined : value.charCodeAt(0);
}

function firstByte(bits: string): number {
  return bits.length === 0 ? 0 : bits.charCodeAt(0);
}
