import { randomBytes } from "node:crypto";

/** A serial number: 126 random bits in 16 bytes; the first byte keeps it positive and its length fixed (RFC 5280 §4.1.2.2). */
export function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
