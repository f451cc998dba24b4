import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from "node:crypto";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import { signRoot } from "./certificate-template.ts";
import { privateDirectory, readPrivateFile, writePrivateFile } from "./private-files.ts";
import { randomSerial } from "./serial.ts";

const SECOND = 1000;
const TEN_YEARS_MS = 3653 * 24 * 3600 * SECOND;
/** So that leaves, which are backdated too, lie inside its validity from the first minute on. */
const BACKDATE_MS = 3600 * SECOND;

export interface Root {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/**
 * The root in `root.pem` and `root.key`. Neither there: both are made, the key first. A key without its certificate is
 * a first start that was cut short: the certificate is made again from it, and pins, which are of the key, still hold.
 */
export async function loadOrCreateRoot(directory: string, trustDomain: string, nowMs: number): Promise<Root> {
  await privateDirectory(directory);
  const keyPath = join(directory, "root.key");
  const certificatePath = join(directory, "root.pem");
  const keyText = await readPrivateFile(keyPath);
  const certificateText = await readPrivateFile(certificatePath);
  if (keyText === undefined && certificateText !== undefined) {
    throw new MeshError("config.invalid", `open the CA: ${keyPath} is missing`, {
      hint: `restore it from the backup; to start with a new CA, which every agent must join again, remove ${certificatePath}`,
    });
  }
  const key = keyText === undefined ? await createKey(keyPath) : readKey(keyText, keyPath);
  const certificate =
    certificateText === undefined
      ? await createCertificate(certificatePath, key, trustDomain, nowMs)
      : readCertificate(certificateText, certificatePath);
  checkRoot({ certificate, key }, trustDomain, directory);
  return { certificate, key };
}

async function createKey(path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  await writePrivateFile(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return privateKey;
}

async function createCertificate(
  path: string,
  key: KeyObject,
  trustDomain: string,
  nowMs: number,
): Promise<X509Certificate> {
  const notBeforeMs = Math.floor((nowMs - BACKDATE_MS) / SECOND) * SECOND;
  const bytes = signRoot(
    trustDomain,
    createPublicKey(key).export({ type: "spki", format: "der" }),
    randomSerial(),
    { notBeforeMs, notAfterMs: notBeforeMs + TEN_YEARS_MS },
    (tbs) => sign("sha256", tbs, key),
  );
  await writePrivateFile(path, derToPem(bytes, "CERTIFICATE"));
  return new X509Certificate(bytes);
}

function readKey(text: string, path: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new MeshError("config.invalid", `open the CA: ${path} is no private key`, {
      cause,
      hint: "restore it from the backup",
    });
  }
}

function readCertificate(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new MeshError("config.invalid", `open the CA: ${path} is no certificate`, {
      cause,
      hint: "restore it from the backup; it can be made again from root.key when it is removed",
    });
  }
}

function checkRoot({ certificate, key }: Root, trustDomain: string, directory: string): void {
  const refuse = (why: string, hint: string): MeshError =>
    new MeshError("config.invalid", `open the CA in ${directory}: ${why}`, { hint });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw refuse("root.key is not a P-256 key", "restore both files from the same backup");
  }
  if (!certificate.checkPrivateKey(key)) {
    throw refuse("root.key is not the key of root.pem", "restore both files from the same backup");
  }
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) {
    throw refuse("root.pem is not a self-signed CA certificate", "restore both files from the same backup");
  }
  if (certificate.subjectAltName !== `URI:spiffe://${trustDomain}`) {
    throw refuse(
      `root.pem is of another trust domain (${certificate.subjectAltName ?? "none"})`,
      "a trust domain cannot be changed later: set it back, or use another state directory",
    );
  }
}
