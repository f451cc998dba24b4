import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

const generate = promisify(generateKeyPair);

/** A new P-256 key. It is made on this host and never leaves it. */
export async function generatePrivateKey(): Promise<KeyObject> {
  return (await generate("ec", { namedCurve: "prime256v1" })).privateKey;
}

/** PKCS#8 PEM. Secret. */
export function exportPrivateKey(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}
