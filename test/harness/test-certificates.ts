import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { randomSerial } from "../../controlplane/ca/serial.ts";
import { type AltName, KEY_USAGE, OID, SAN_URI } from "../../mesh/identity/certificate-facts.ts";
import { type DerNode, der, encodeDer, latin1, oid } from "../../mesh/identity/der.ts";
import { derToPem } from "../../mesh/identity/pem.ts";

/** A certificate of a test, valid or deliberately not. */
export interface TestCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly commonName: string;
}

export interface MintOptions {
  /** Left out: self-signed. */
  readonly issuer?: TestCertificate;
  readonly commonName?: string;
  /** Undefined in the list of fields below: the extension is left out. */
  readonly sans?: readonly AltName[];
  readonly isCa?: boolean;
  /** How many CA certificates may be below. */
  readonly pathLength?: number;
  /** A critical extension that nobody knows. */
  readonly strangeExtension?: boolean;
  readonly keyUsage?: number | undefined;
  readonly extendedKeyUsage?: readonly ("serverAuth" | "clientAuth")[] | undefined;
  /** The same extension twice. */
  readonly repeatKeyUsage?: boolean;
  readonly version?: 1 | 3;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly key?: KeyObject;
}

const ECDSA_SHA256 = der.sequence(der.oid(oid("1.2.840.10045.4.3.2")));
const COMMON_NAME = oid("2.5.4.3");

export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
}

export function uriSan(uri: string): AltName {
  return { tag: SAN_URI, value: latin1(Buffer.from(uri, "utf8")) };
}

/** A CA of its own. */
export function mintRoot(commonName = "test root"): TestCertificate {
  return mint({
    commonName,
    isCa: true,
    keyUsage: KEY_USAGE.keyCertSign | KEY_USAGE.crlSign,
    extendedKeyUsage: undefined,
  });
}

/** What a good SVID has, unless an option says otherwise. */
export function mintSvid(
  issuer: TestCertificate,
  spiffeId: string,
  options: MintOptions = {},
): TestCertificate {
  return mint({ issuer, sans: [uriSan(spiffeId)], ...options });
}

/** Makes a certificate with what is asked for and no questions. */
export function mint(options: MintOptions): TestCertificate {
  const key = options.key ?? newKey();
  const commonName = options.commonName ?? "";
  const signer = options.issuer?.key ?? key;
  const tbs = der.sequence(
    ...(options.version === 1 ? [] : [der.explicit(0, der.integer("\x02"))]),
    der.integer(latin1(randomSerial())),
    ECDSA_SHA256,
    name(options.issuer?.commonName ?? commonName),
    der.sequence(
      der.time(options.notBeforeMs ?? Date.now() - 60_000),
      der.time(options.notAfterMs ?? Date.now() + 3_600_000),
    ),
    name(commonName),
    der.encoded(createPublicKey(key).export({ type: "spki", format: "der" })),
    ...(options.version === 1 ? [] : [der.explicit(3, der.sequence(...extensions(options)))]),
  );
  const signature = sign("sha256", encodeDer(tbs), signer);
  const bytes = encodeDer(der.sequence(tbs, ECDSA_SHA256, der.bitString(latin1(signature))));
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  return { der: bytes, pem: derToPem(bytes, "CERTIFICATE"), key, keyPem, commonName };
}

/** A revocation list, as PEM. Of nobody: it takes back nothing. */
export function mintCrl(issuer: TestCertificate, revoked: readonly TestCertificate[] = []): string {
  const entries = revoked.map(({ der: bytes }) => {
    const serial = Buffer.from(new X509Certificate(bytes).serialNumber, "hex");
    return der.sequence(der.integer(latin1(serial)), der.time(Date.now() - 60_000));
  });
  const tbs = der.sequence(
    der.integer("\x01"),
    ECDSA_SHA256,
    name(issuer.commonName),
    der.time(Date.now() - 60_000),
    der.time(Date.now() + 3_600_000),
    ...(entries.length === 0 ? [] : [der.sequence(...entries)]),
  );
  const signature = der.bitString(latin1(sign("sha256", encodeDer(tbs), issuer.key)));
  return derToPem(encodeDer(der.sequence(tbs, ECDSA_SHA256, signature)), "X509 CRL");
}

/** A request that asks for names, as ours never do. */
export function mintCsr(key: KeyObject, names: readonly AltName[]): string {
  const sans = der.sequence(...names.map(({ tag, value }) => der.implicit(tag, value)));
  const wanted = der.set(der.sequence(extension(OID.subjectAltName, sans)));
  const info = der.sequence(
    der.integer("\0"),
    der.sequence(),
    der.encoded(createPublicKey(key).export({ type: "spki", format: "der" })),
    der.explicit(0, der.sequence(der.oid(OID.extensionRequest), wanted)),
  );
  const signature = der.bitString(latin1(sign("sha256", encodeDer(info), key)));
  return derToPem(encodeDer(der.sequence(info, ECDSA_SHA256, signature)), "CERTIFICATE REQUEST");
}

function extensions(options: MintOptions): readonly DerNode[] {
  const usage = "keyUsage" in options ? options.keyUsage : KEY_USAGE.digitalSignature;
  const extended =
    "extendedKeyUsage" in options ? options.extendedKeyUsage : (["serverAuth", "clientAuth"] as const);
  const keyUsage =
    usage === undefined ? [] : [extension(OID.keyUsage, der.bitString(String.fromCharCode(usage)))];
  return [
    ...(options.isCa === true
      ? [extension(OID.basicConstraints, der.sequence(der.true(), ...pathLength(options)))]
      : []),
    ...(options.strangeExtension === true
      ? [der.sequence(der.oid(oid("1.2.3.4.5")), der.true(), der.octetString("\x05\0"))]
      : []),
    ...keyUsage,
    ...(options.repeatKeyUsage === true ? keyUsage : []),
    ...(extended === undefined
      ? []
      : [extension(OID.extendedKeyUsage, der.sequence(...extended.map((purpose) => der.oid(OID[purpose]))))]),
    ...(options.sans === undefined
      ? []
      : [
          extension(
            OID.subjectAltName,
            der.sequence(...options.sans.map(({ tag, value }) => der.implicit(tag, value))),
          ),
        ]),
  ];
}

function pathLength({ pathLength }: MintOptions): readonly DerNode[] {
  return pathLength === undefined ? [] : [der.integer(String.fromCharCode(pathLength))];
}

function extension(id: string, value: DerNode): DerNode {
  return der.sequence(der.oid(id), der.octetString(latin1(encodeDer(value))));
}

function name(commonName: string): DerNode {
  if (commonName === "") return der.sequence();
  return der.sequence(der.set(der.sequence(der.oid(COMMON_NAME), der.utf8String(commonName))));
}
