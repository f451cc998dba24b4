import codec from "node-forge/lib/asn1.js";
import { MeshError } from "../errors.ts";

/** One ASN.1 value. The bytes of a primitive one are a string of code units 0 to 255 (latin1). */
export interface DerNode {
  readonly tagClass: number;
  readonly type: number;
  readonly constructed: boolean;
  readonly value: string | readonly DerNode[];
}

interface DecodeOptions {
  readonly strict: boolean;
  readonly parseAllBytes: boolean;
  readonly decodeBitStrings: boolean;
  readonly maxDepth: number;
}

/** What we use of node-forge, and all of it: none of its cryptography is loaded. */
interface Asn1Codec {
  create(tagClass: number, type: number, constructed: boolean, value: string | readonly DerNode[]): DerNode;
  fromDer(bytes: string, options: DecodeOptions): DerNode;
  toDer(node: DerNode): { readonly data: string };
  oidToDer(dotted: string): { readonly data: string };
  dateToUtcTime(date: Date): string;
  dateToGeneralizedTime(date: Date): string;
}

const asn1 = codec as Asn1Codec;

/** Certificates and requests are about 1 KiB; RSA 4096 with some SANs is about 3. */
const MAX_BYTES = 16 * 1024;
/** A certificate is 8 deep. */
const MAX_DEPTH = 16;
/** Low five bits all set: a tag of several bytes, which the codec would misread. Nothing of X.509 has one. */
const HIGH_TAG = 0x1f;

export const UNIVERSAL = 0x00;
export const CONTEXT = 0x80;

export const SEQUENCE = 16;
export const SET = 17;
const BOOLEAN = 1;
const INTEGER = 2;
const BIT_STRING = 3;
const OCTET_STRING = 4;
const OBJECT_ID = 6;
const UTF8_STRING = 12;
const UTC_TIME = 23;
const GENERALIZED_TIME = 24;

/**
 * Decodes one DER value that fills the bytes, within the bounds of size and depth. Throws `identity.invalid`. Bit and
 * octet strings stay bytes.
 */
export function decodeDer(bytes: Uint8Array | string, what: string, mostBytes = MAX_BYTES): DerNode {
  if (bytes.length > mostBytes) throw malformed(what, `it has more than ${mostBytes} bytes`);
  const text = typeof bytes === "string" ? bytes : latin1(bytes);
  let node: DerNode;
  try {
    node = asn1.fromDer(text, {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
      maxDepth: MAX_DEPTH,
    });
  } catch (cause) {
    throw malformed(what, "it is not DER", cause);
  }
  refuseHighTags(node, what);
  return node;
}

export function encodeDer(node: DerNode): Buffer {
  return Buffer.from(asn1.toDer(node).data, "latin1");
}

export function malformed(what: string, why: string, cause?: unknown): MeshError {
  return new MeshError("identity.invalid", `read ${what}: ${why}`, { cause });
}

/** The children of a constructed value of the given tag. Throws `identity.invalid` for anything else. */
export function childrenOf(node: DerNode | undefined, tag: number, what: string): readonly DerNode[] {
  const value = node?.value;
  if (!node?.constructed || node.tagClass !== UNIVERSAL || node.type !== tag || !Array.isArray(value)) {
    throw malformed(what, "its structure is not that of X.509");
  }
  return value;
}

/** The children of an explicitly tagged `[n]`; undefined when the node is something else. */
export function taggedChildren(node: DerNode | undefined, tag: number): readonly DerNode[] | undefined {
  if (!node?.constructed || node.tagClass !== CONTEXT || node.type !== tag) return undefined;
  return Array.isArray(node.value) ? node.value : undefined;
}

/** The bytes of a primitive value, as latin1; undefined for a constructed one. */
export function primitive(node: DerNode | undefined): string | undefined {
  return node !== undefined && typeof node.value === "string" ? node.value : undefined;
}

/** The bytes of a universal primitive of the given tag. Throws `identity.invalid` for anything else. */
function universal(node: DerNode | undefined, tag: number, what: string): string {
  const value = primitive(node);
  if (node?.tagClass !== UNIVERSAL || node.type !== tag || value === undefined) {
    throw malformed(what, "its structure is not that of X.509");
  }
  return value;
}

/** An object identifier's encoded bytes: OIDs are compared in this form and never as dotted numbers. */
export const oidBytes = (node: DerNode | undefined, what: string): string => universal(node, OBJECT_ID, what);
export const octetStringBytes = (node: DerNode | undefined, what: string): string =>
  universal(node, OCTET_STRING, what);
export const integerBytes = (node: DerNode | undefined, what: string): string =>
  universal(node, INTEGER, what);

/** The bits of a BIT STRING, without the count of unused ones that DER puts in front. */
export function bitStringBytes(node: DerNode | undefined, what: string): string {
  const value = universal(node, BIT_STRING, what);
  if (value.length === 0 || value.charCodeAt(0) > 7) throw malformed(what, "a bit string is malformed");
  return value.slice(1);
}

/** The bytes of a BIT STRING that stands for whole bytes, as a signature does: no bit is unused. */
export function wholeBitString(node: DerNode | undefined, what: string): string {
  const value = universal(node, BIT_STRING, what);
  if (!value.startsWith("\0")) throw malformed(what, "a bit string is malformed");
  return value.slice(1);
}

export function isBoolean(node: DerNode | undefined): boolean {
  return node?.tagClass === UNIVERSAL && node.type === BOOLEAN;
}

export function isInteger(node: DerNode | undefined): boolean {
  return node?.tagClass === UNIVERSAL && node.type === INTEGER;
}

/** `1.2.840…` as the bytes inside its encoding. */
export function oid(dotted: string): string {
  return asn1.oidToDer(dotted).data;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Builders, one for each type that certificates and requests are made of. */
export const der = {
  sequence: (...children: readonly DerNode[]): DerNode => make(UNIVERSAL, SEQUENCE, children),
  set: (...children: readonly DerNode[]): DerNode => make(UNIVERSAL, SET, children),
  explicit: (tag: number, ...children: readonly DerNode[]): DerNode => make(CONTEXT, tag, children),
  /** `[tag] IMPLICIT`, primitive. */
  implicit: (tag: number, bytes: string): DerNode => make(CONTEXT, tag, bytes),
  /** Big-endian two's complement, at its shortest. */
  integer: (bytes: string): DerNode => make(UNIVERSAL, INTEGER, bytes),
  true: (): DerNode => make(UNIVERSAL, BOOLEAN, "\xff"),
  oid: (bytes: string): DerNode => make(UNIVERSAL, OBJECT_ID, bytes),
  octetString: (bytes: string): DerNode => make(UNIVERSAL, OCTET_STRING, bytes),
  /** `unused`: how many bits of the last byte do not count. */
  bitString: (bytes: string, unused = 0): DerNode =>
    make(UNIVERSAL, BIT_STRING, `${String.fromCharCode(unused)}${bytes}`),
  utf8String: (text: string): DerNode => make(UNIVERSAL, UTF8_STRING, latin1(Buffer.from(text, "utf8"))),
  time: (ms: number): DerNode => timeNode(new Date(ms)),
  /** Something that is encoded already, taken over as it is. */
  encoded: (bytes: Uint8Array): DerNode => encodedNode(latin1(bytes)),
};

function make(tagClass: number, type: number, value: string | readonly DerNode[]): DerNode {
  return asn1.create(tagClass, type, Array.isArray(value), value);
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from then on. */
function timeNode(date: Date): DerNode {
  if (date.getUTCFullYear() < 2050) return make(UNIVERSAL, UTC_TIME, asn1.dateToUtcTime(date));
  return make(UNIVERSAL, GENERALIZED_TIME, asn1.dateToGeneralizedTime(date));
}

/** The identifier octet goes in whole, its constructed bit included; the content stays the bytes it is. */
function encodedNode(bytes: string): DerNode {
  const length = bytes.charCodeAt(1);
  const header = length < 0x80 ? 2 : 2 + (length & 0x7f);
  const identifier = bytes.charCodeAt(0);
  return make(identifier & 0xc0, identifier & 0x3f, bytes.slice(header));
}

function refuseHighTags(node: DerNode, what: string): void {
  if ((node.type & HIGH_TAG) === HIGH_TAG) throw malformed(what, "it has a tag that X.509 does not use");
  if (!Array.isArray(node.value)) return;
  for (const child of node.value) refuseHighTags(child, what);
}
