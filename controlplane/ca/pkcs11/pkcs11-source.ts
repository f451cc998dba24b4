import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MeshError } from "../../../mesh/errors.ts";
import { readCertificateFacts, subjectKeyId } from "../../../mesh/identity/certificate-facts.ts";
import { derToPem } from "../../../mesh/identity/pem.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { CaSource, NewCa } from "../ca-source.ts";
import {
  type CaFields,
  issuerFields,
  keyIdentifier,
  type Sign,
  signIntermediate,
  signRoot,
} from "../certificate-template.ts";
import { readPrivateFile, writePrivateFile } from "../private-files.ts";
import { randomSerial } from "../serial.ts";
import { signatureAlgorithmOf } from "../signature-algorithm.ts";
import { validateCa } from "../validate-ca.ts";
import { CryptokiSession } from "./cryptoki.ts";
import { findTokenKey, type TokenKey } from "./token-key.ts";

export interface Pkcs11Options {
  /** Path of the token's shared library. */
  readonly module: string;
  readonly tokenLabel: string;
  /** Of the root's pair of keys. */
  readonly keyLabel: string;
  readonly pinFile: string;
  /** The root's certificate; made with the token's key when it is not there. */
  readonly rootFile: string;
  readonly trustDomain: string;
  readonly clock: Clock;
}

const DAY_MS = 86_400_000;
const ROOT_LIFE_MS = 3653 * DAY_MS;
/** A rotation begins at half of it: the token is needed about every two weeks. */
const INTERMEDIATE_LIFE_MS = 30 * DAY_MS;
const BACKDATE_MS = 3_600_000;

/**
 * A root whose key never leaves its PKCS#11 token (an HSM, a smart card, SoftHSM). It signs the CAs that sign leaves, each
 * with a key of its own and for this trust domain alone; the token is asked for nothing else.
 */
export function pkcs11Source(options: Pkcs11Options): CaSource {
  return { kind: "pkcs11", makesKeys: true, ownsRoots: true, next: () => nextCa(options) };
}

async function nextCa(options: Pkcs11Options): Promise<NewCa> {
  const { clock, trustDomain } = options;
  const pin = (await readText(options.pinFile, "PIN")).replace(/\r?\n$/, "");
  await using session = await CryptokiSession.open(options.module, options.tokenLabel, pin);
  const key = await findTokenKey(session, options.keyLabel);
  const root = await loadOrCreateRoot(options, key);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const facts = readCertificateFacts(root.raw);
  const rootId = subjectKeyId(facts) ?? "";
  const issuer = issuerFields(facts.subject, Buffer.from(rootId, "hex"), signatureAlgorithmOf(key.publicKey));
  const now = clock.now();
  const ca: CaFields = {
    trustDomain,
    publicKeyDer: publicKey.export({ type: "spki", format: "der" }),
    serial: randomSerial(),
    notBeforeMs: wholeSecond(Math.max(now - BACKDATE_MS, root.validFromDate.getTime())),
    notAfterMs: wholeSecond(Math.min(now + INTERMEDIATE_LIFE_MS, root.validToDate.getTime())),
  };
  const certificate = await signedBy(key, (sign) => signIntermediate(issuer, ca, sign));
  validateCa(certificate, ca, root);
  return {
    certificate: derToPem(certificate, "CERTIFICATE"),
    intermediates: [],
    roots: [root.toString()],
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

async function loadOrCreateRoot(options: Pkcs11Options, key: TokenKey): Promise<X509Certificate> {
  const { rootFile, trustDomain, clock } = options;
  const text = await readPrivateFile(rootFile);
  if (text === undefined) {
    const notBeforeMs = wholeSecond(clock.now() - BACKDATE_MS);
    const ca: CaFields = {
      trustDomain,
      publicKeyDer: key.publicKey.export({ type: "spki", format: "der" }),
      serial: randomSerial(),
      notBeforeMs,
      notAfterMs: notBeforeMs + ROOT_LIFE_MS,
    };
    const algorithm = signatureAlgorithmOf(key.publicKey);
    const root = await signedBy(key, (sign) => signRoot(ca, algorithm, sign));
    validateCa(root, ca);
    await writePrivateFile(rootFile, derToPem(root, "CERTIFICATE"));
    return new X509Certificate(root);
  }
  const root = new X509Certificate(text);
  const rootKey = root.publicKey.export({ type: "spki", format: "der" });
  const tokenKey = createPublicKey(key.publicKey.export({ type: "spki", format: "pem" }));
  if (keyIdentifier(rootKey).equals(keyIdentifier(tokenKey.export({ type: "spki", format: "der" }))))
    return root;
  throw new MeshError("config.invalid", `use the PKCS#11 token: its key is not that of ${rootFile}`, {
    hint: "ca.pkcs11.keyLabel names another key than at the first start; remove the file for a new root",
  });
}

/** Templates sign as they build: built once to learn what is to be signed, and once more with the token's answer. */
async function signedBy(key: TokenKey, build: (sign: Sign) => Buffer): Promise<Buffer> {
  let content = Buffer.alloc(0);
  build((bytes) => {
    content = Buffer.from(bytes);
    return Buffer.alloc(0);
  });
  const signature = await key.sign(content);
  return build(() => signature);
}

async function readText(path: string, what: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new MeshError("config.invalid", `read the ${what} in ${path}`, { cause });
  });
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
