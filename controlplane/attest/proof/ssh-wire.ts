import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** Reads OpenSSH's binary form (RFC 4251 §5): each read throws a RangeError past the end. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** What lies between two positions. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to);
  }

  raw(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError("cut off");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    return this.raw(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.raw(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.raw(this.uint32());
  }

  text(): string {
    return this.string().toString("utf8");
  }
}

export function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const CURVES: Readonly<
  Record<string, { readonly jwk: string; readonly bytes: number; readonly hash: string }>
> = {
  nistp256: { jwk: "P-256", bytes: 32, hash: "sha256" },
  nistp384: { jwk: "P-384", bytes: 48, hash: "sha384" },
};

/** Reads the fields of a public key of a kind; the reader is behind them then. Throws for kinds that are not taken. */
export function readSshKey(kind: string, reader: SshReader): KeyObject {
  if (kind === "ssh-ed25519") return fromJwk({ kty: "OKP", crv: "Ed25519", x: url(reader.string()) });
  if (kind === "ssh-rsa") {
    const [e, n] = [reader.string(), reader.string()];
    const bits = unsigned(n).length * 8;
    if (bits < 2048 || bits > 8192) throw new RangeError("an RSA key of that size is not taken");
    return fromJwk({ kty: "RSA", e: url(unsigned(e)), n: url(unsigned(n)) });
  }
  const curve = CURVES[kind.replace(/^ecdsa-sha2-/, "")];
  if (curve === undefined || reader.text() !== kind.slice("ecdsa-sha2-".length)) {
    throw new RangeError("the kind of key is not taken");
  }
  const point = reader.string();
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) throw new RangeError("the point is compressed");
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return fromJwk({ kty: "EC", crv: curve.jwk, x: url(x), y: url(y) });
}

/** Whether a signature in OpenSSH's form is the key's over the bytes. SHA-1 is not taken. */
export function verifySshSignature(
  kind: string,
  key: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const reader = new SshReader(signature);
  const format = reader.text();
  const value = reader.string();
  if (!reader.done) return false;
  if (kind === "ssh-ed25519") return format === kind && verify(null, bytes, key, value);
  if (kind === "ssh-rsa") {
    const hash = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" }[format];
    return hash !== undefined && verify(hash, bytes, key, value);
  }
  const curve = CURVES[kind.replace(/^ecdsa-sha2-/, "")];
  if (curve === undefined || format !== kind) return false;
  const numbers = new SshReader(value);
  const [r, s] = [padded(numbers.string(), curve.bytes), padded(numbers.string(), curve.bytes)];
  if (!numbers.done) return false;
  return verify(curve.hash, bytes, { key, dsaEncoding: "ieee-p1363" }, Buffer.concat([r, s]));
}

function fromJwk(jwk: Readonly<Record<string, string>>): KeyObject {
  return createPublicKey({ key: jwk, format: "jwk" });
}

function url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

/** An mpint without the zero that keeps it positive. */
function unsigned(mpint: Buffer): Buffer {
  return mpint[0] === 0 ? mpint.subarray(1) : mpint;
}

function padded(mpint: Buffer, length: number): Buffer {
  const value = unsigned(mpint);
  if (value.length > length) throw new RangeError("a number is too large");
  return Buffer.concat([Buffer.alloc(length - value.length), value]);
}
