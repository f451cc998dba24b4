import { createHash } from "node:crypto";

/**
 * What the holder of an older key signs to vouch for a new one: the method, so that a signature for one is none for
 * another; the server's challenge, so that it is fresh; and the new key. Signed with SHA-256 where the key's kind has a
 * choice.
 */
export function possessionStatement(
  method: string,
  challenge: Uint8Array,
  newPublicKeyDer: Uint8Array,
): Buffer {
  const key = createHash("sha256").update(newPublicKeyDer).digest("base64url");
  return Buffer.from(
    `lateen possession 1\n${method}\n${Buffer.from(challenge).toString("base64url")}\n${key}\n`,
  );
}

/** What SSH signatures over the statement are made for (`ssh-keygen -Y sign -n`). */
export const SSH_NAMESPACE = "lateen";

/** A challenge for those who take ten digits and no more (Azure's metadata service). */
export function challengeDigits(challenge: Uint8Array): string {
  const number = createHash("sha256").update(challenge).digest().readBigUInt64BE();
  return String(number % 10_000_000_000n).padStart(10, "0");
}
