import type { KeyObject } from "node:crypto";
import { readSshKey, SshReader, sshString, verifySshSignature } from "./ssh-wire.ts";

/** A host certificate that one of the authorities signed and that holds now. */
export interface SshHostCertificate {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, … */
  readonly keyKind: string;
  readonly key: KeyObject;
  /** The public key alone, in OpenSSH's form. */
  readonly keyBlob: Buffer;
  /** Host names that it is good for. */
  readonly principals: readonly string[];
}

export type SshVerdict =
  | { readonly ok: true; readonly certificate: SshHostCertificate }
  | { readonly ok: false; readonly reason: string };

const SUFFIX = "-cert-v01@openssh.com";
const HOST = 2;
const MOST_PRINCIPALS = 256;

/**
 * Reads one line of a `…-cert.pub` file (OpenSSH PROTOCOL.certkeys) and verifies it: a host's, signed by one of the
 * authorities (public key lines, as in `known_hosts`' @cert-authority), with principals, without critical options, holding
 * at `now`.
 */
export function verifySshHostCertificate(
  line: string,
  authorities: readonly string[],
  now: number,
): SshVerdict {
  try {
    return read(line, new Set(authorities.map((authority) => blobOf(authority).toString("base64"))), now);
  } catch {
    return refuse("it is malformed, or its key is of a kind that is not taken");
  }
}

/** The binary part of a public key line. */
function blobOf(line: string): Buffer {
  return Buffer.from(line.trim().split(/\s+/)[1] ?? "", "base64");
}

function read(line: string, authorities: ReadonlySet<string>, now: number): SshVerdict {
  const reader = new SshReader(blobOf(line));
  const type = reader.text();
  if (!type.endsWith(SUFFIX)) return refuse("it is not an OpenSSH certificate");
  const keyKind = type.slice(0, -SUFFIX.length);
  reader.string();
  const from = reader.position;
  const key = readSshKey(keyKind, reader);
  const keyBlob = Buffer.concat([sshString(keyKind), reader.slice(from, reader.position)]);
  reader.uint64();
  const kind = reader.uint32();
  reader.string();
  const principals = readList(reader.string());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  const critical = reader.string();
  reader.string();
  reader.string();
  const authority = reader.string();
  const signed = reader.slice(0, reader.position);
  const signature = reader.string();
  if (!reader.done) return refuse("something follows it");
  if (kind !== HOST) return refuse("it is not a host's");
  if (!authorities.has(authority.toString("base64"))) return refuse("no known authority signed it");
  const signer = new SshReader(authority);
  const signerKind = signer.text();
  if (!verifySshSignature(signerKind, readSshKey(signerKind, signer), signed, signature)) {
    return refuse("its signature does not verify");
  }
  const seconds = BigInt(Math.floor(now / 1000));
  if (seconds < validAfter || seconds >= validBefore) return refuse("it does not hold now");
  if (critical.length > 0) return refuse("it has critical options");
  // OpenSSH takes a certificate without principals for every host's: here it is nobody's.
  if (principals.length === 0) return refuse("it names no host");
  return { ok: true, certificate: { keyKind, key, keyBlob, principals } };
}

function readList(bytes: Buffer): readonly string[] {
  const reader = new SshReader(bytes);
  const items: string[] = [];
  while (!reader.done && items.length < MOST_PRINCIPALS) items.push(reader.text());
  return items;
}

function refuse(reason: string): SshVerdict {
  return { ok: false, reason };
}
