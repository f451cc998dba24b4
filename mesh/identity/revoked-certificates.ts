import {
  childrenOf,
  decodeDer,
  encodeDer,
  integerBytes,
  isInteger,
  latin1,
  malformed,
  SEQUENCE,
} from "./der.ts";

/** One revocation list, in what we ask of it. */
export interface RevokedCertificates {
  /** The issuer's name as it is encoded, latin1. */
  readonly issuer: string;
  /** Hexadecimal, as they are encoded. */
  readonly serials: ReadonlySet<string>;
}

const WHAT = "a revocation list";

/**
 * Reads a CertificateList's DER (RFC 5280 §5.1). Its signature is not looked at here: it comes over a connection that is
 * trusted with the roots, too. Throws `identity.invalid`.
 */
export function readRevokedCertificates(bytes: Uint8Array, mostBytes: number): RevokedCertificates {
  const [list] = childrenOf(decodeDer(bytes, WHAT, mostBytes), SEQUENCE, WHAT);
  const fields = childrenOf(list, SEQUENCE, WHAT);
  // Version is there or not; signature, issuer and the time of this update follow.
  const [, issuer, , ...rest] = isInteger(fields[0]) ? fields.slice(1) : fields;
  if (issuer === undefined) throw malformed(WHAT, "it has no issuer");
  // The time of the next update is there or not; entries are a SEQUENCE, unlike what may follow.
  const entries = rest.find((field) => field.constructed && field.tagClass === 0 && field.type === SEQUENCE);
  const serials = (entries === undefined ? [] : childrenOf(entries, SEQUENCE, WHAT)).map((entry) => {
    const [serial] = childrenOf(entry, SEQUENCE, WHAT);
    return Buffer.from(integerBytes(serial, WHAT), "latin1").toString("hex");
  });
  return { issuer: latin1(encodeDer(issuer)), serials: new Set(serials) };
}
