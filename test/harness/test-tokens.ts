import {
  constants,
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from "node:crypto";

type Fields = Readonly<Record<string, unknown>>;

export interface TokenOptions {
  readonly alg?: string;
  /** Replaces or adds header fields; undefined takes one out. */
  readonly header?: Fields;
  /** Instead of the issuer's own key. */
  readonly key?: KeyObject;
}

const RSA = { modulusLength: 2048 } as const;
const KEYS = {
  rsa: generateKeyPairSync("rsa", RSA),
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "ec-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ed: generateKeyPairSync("ed25519"),
} as const;

/** Keys that nobody trusts. */
export const STRANGER: Readonly<Record<"rsa" | "ec", KeyObject>> = {
  rsa: generateKeyPairSync("rsa", RSA).privateKey,
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
};

type KeyName = keyof typeof KEYS;

const KEY_OF: Readonly<Record<string, KeyName>> = { ES256: "ec", ES384: "ec-384", EdDSA: "ed" };

/** Far enough away for tests, and in the range of every parser. */
export const LATER = 4_000_000_000;

export function publicPem(name: KeyName): string {
  return KEYS[name].publicKey.export({ type: "spki", format: "pem" }).toString();
}

export function publicJwk(name: KeyName): JsonWebKey {
  return KEYS[name].publicKey.export({ format: "jwk" });
}

/** The public keys of the test's issuer, each under its own name. */
export function jwks(names: readonly KeyName[] = ["rsa", "ec", "ec-384", "ed"]): string {
  return JSON.stringify({ keys: names.map((name) => ({ ...publicJwk(name), kid: name, use: "sig" })) });
}

export const ISSUER = "https://issuer.example.com";

/** Claims that make a good token, with what a test says instead; undefined takes one out. */
export function claims(over: Fields = {}): Fields {
  return { iss: ISSUER, sub: "alice", aud: "shop", exp: LATER, ...over };
}

/** A token in the compact form, signed as its header says (or as `none` and shared secrets have it). */
export function token(payload: Fields | string = claims(), options: TokenOptions = {}): string {
  const { alg = "RS256", header = {}, key } = options;
  const name = KEY_OF[alg] ?? "rsa";
  const head = { alg, typ: "JWT", kid: name, ...header };
  const signed = `${encode(JSON.stringify(head))}.${encode(
    typeof payload === "string" ? payload : JSON.stringify(payload),
  )}`;
  return `${signed}.${signature(signed, alg, key ?? KEYS[name].privateKey)}`;
}

/** Header and payload byte for byte as they are written, with the issuer's own RSA signature. */
export function signedText(header: string | Buffer, payload: string | Buffer): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${signature(signed, "RS256", KEYS.rsa.privateKey)}`;
}

/** The issuer's ECDSA signature in ASN.1, as other protocols have it. */
export function derSigned(payload: Fields): string {
  const signed = `${encode(JSON.stringify({ alg: "ES256", kid: "ec" }))}.${encode(JSON.stringify(payload))}`;
  return `${signed}.${encode(sign("sha256", Buffer.from(signed), KEYS.ec.privateKey))}`;
}

export function encode(text: string | Buffer): string {
  return Buffer.from(text).toString("base64url");
}

function signature(signed: string, alg: string, key: KeyObject): string {
  const bytes = Buffer.from(signed);
  const hash = `sha${alg.slice(2)}`;
  switch (alg.slice(0, 2)) {
    case "RS":
      return encode(sign(hash, bytes, key));
    case "PS":
      return encode(
        sign(hash, bytes, {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }),
      );
    case "ES":
      return encode(sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" }));
    case "HS":
      // The confusion of a public key with a shared secret (RFC 8725 §2.1).
      return encode(createHmac(hash, publicPem("rsa")).update(bytes).digest());
    case "Ed":
      return encode(sign(null, bytes, key));
    default:
      return "";
  }
}
