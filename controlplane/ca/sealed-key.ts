import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  randomBytes,
  scryptSync,
} from "node:crypto";
import * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";

/** About a tenth of a second and 64 MiB: once a start, and much for whoever guesses. */
const SCRYPT = { N: 65_536, r: 8, p: 1 } as const;
const MAX_MEMORY = 256 << 20;

const schema = z.strictObject({
  lateenSealedKey: z.literal(1),
  kdf: z.strictObject({
    name: z.literal("scrypt"),
    // Bounds: a file that was tampered with must not cost more than it may.
    N: z.number().int().min(16_384).max(1_048_576),
    r: z.number().int().min(1).max(16),
    p: z.number().int().min(1).max(4),
    salt: z.string(),
  }),
  cipher: z.literal("aes-256-gcm"),
  nonce: z.string(),
  tag: z.string(),
  key: z.string(),
});

/** A private key as its file has it: PKCS#8 PEM, sealed under the passphrase when there is one. */
export function sealKey(keyPem: string, passphrase: string | undefined): string {
  if (passphrase === undefined) return keyPem;
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", derive(passphrase, salt, SCRYPT), nonce);
  const sealed = Buffer.concat([cipher.update(keyPem, "utf8"), cipher.final()]);
  return `${JSON.stringify({
    lateenSealedKey: 1,
    kdf: { name: "scrypt", ...SCRYPT, salt: salt.toString("base64") },
    cipher: "aes-256-gcm",
    nonce: nonce.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    key: sealed.toString("base64"),
  })}\n`;
}

export function isSealed(text: string): boolean {
  return text.startsWith("{");
}

/** Opens what `sealKey` made. Throws `config.invalid` when the passphrase is missing or another, and for no key. */
export function openKey(text: string, passphrase: string | undefined, path: string): KeyObject {
  const sealed = isSealed(text);
  if (sealed && passphrase === undefined) {
    throw unusable(path, "it is sealed under a passphrase", "set ca.passphraseFile to the file that has it");
  }
  try {
    return createPrivateKey(sealed ? unseal(text, passphrase ?? "") : text);
  } catch (cause) {
    const why = sealed ? "its passphrase is another, or it is damaged" : "it is no private key";
    throw unusable(path, why, "restore it from the backup", cause);
  }
}

function unseal(text: string, passphrase: string): string {
  const { kdf, nonce, tag, key } = schema.parse(JSON.parse(text));
  const secret = derive(passphrase, Buffer.from(kdf.salt, "base64"), kdf);
  const decipher = createDecipheriv("aes-256-gcm", secret, Buffer.from(nonce, "base64"), {
    authTagLength: 16,
  });
  decipher.setAuthTag(Buffer.from(tag, "base64"));
  return Buffer.concat([decipher.update(Buffer.from(key, "base64")), decipher.final()]).toString("utf8");
}

function derive(
  passphrase: string,
  salt: Buffer,
  { N, r, p }: { readonly N: number; readonly r: number; readonly p: number },
): Buffer {
  return scryptSync(passphrase.normalize("NFC"), salt, 32, { N, r, p, maxmem: MAX_MEMORY });
}

function unusable(path: string, why: string, hint: string, cause?: unknown): MeshError {
  return new MeshError("config.invalid", `open the CA's key ${path}: ${why}`, { cause, hint });
}
