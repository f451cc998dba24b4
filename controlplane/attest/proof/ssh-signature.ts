import { createHash } from "node:crypto";
import type { SshHostCertificate } from "./ssh-certificate.ts";
import { SshReader, sshString, verifySshSignature } from "./ssh-wire.ts";

const MAGIC = Buffer.from("SSHSIG");
const ARMOR = /^-----BEGIN SSH SIGNATURE-----\s([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*$/;
const HASHES: ReadonlySet<string> = new Set(["sha256", "sha512"]);

/**
 * Verifies what `ssh-keygen -Y sign` makes (OpenSSH PROTOCOL.sshsig) as the certificate's key's over a message, for a
 * namespace, so that a signature that was made for something else is none here.
 */
export function verifySshSig(
  armored: string,
  message: Uint8Array,
  namespace: string,
  { key, keyKind, keyBlob }: SshHostCertificate,
): boolean {
  try {
    const reader = new SshReader(Buffer.from(ARMOR.exec(armored)?.[1] ?? "", "base64"));
    if (!reader.raw(MAGIC.length).equals(MAGIC) || reader.uint32() !== 1) return false;
    const publicKey = reader.string();
    const signedNamespace = reader.text();
    const reserved = reader.string();
    const hash = reader.text();
    const signature = reader.string();
    if (!reader.done || !publicKey.equals(keyBlob) || signedNamespace !== namespace || !HASHES.has(hash))
      return false;
    const digest = createHash(hash).update(message).digest();
    const signed = Buffer.concat([
      MAGIC,
      sshString(namespace),
      sshString(reserved),
      sshString(hash),
      sshString(digest),
    ]);
    return verifySshSignature(keyKind, key, signed, signature);
  } catch {
    return false;
  }
}
