import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { MeshError } from "../../../mesh/errors.ts";
import { decodeDer, der, encodeDer, latin1, octetStringBytes } from "../../../mesh/identity/der.ts";
import { signatureAlgorithmOf } from "../signature-algorithm.ts";
import { CK, type CryptokiSession } from "./cryptoki.ts";

/** A key that stays in its token. */
export interface TokenKey {
  readonly publicKey: KeyObject;
  /** A signature as certificates have it, by the algorithm of `signatureAlgorithmOf(publicKey)`. */
  sign(bytes: Buffer): Promise<Buffer>;
}

const CURVES: Readonly<Record<string, string>> = {
  "06082a8648ce3d030107": "P-256",
  "06052b81040022": "P-384",
};

/** Throws `config.invalid` when the token has no such pair of keys, or one of a kind that is not signed with. */
export async function findTokenKey(session: CryptokiSession, label: string): Promise<TokenKey> {
  const privateKey = await session.find(CK.privateKey, label);
  const publicObject = await session.find(CK.publicKey, label);
  if (privateKey === undefined || publicObject === undefined) {
    throw new MeshError("config.invalid", `find one pair of keys labelled ${label} in the PKCS#11 token`, {
      hint: "make it with the token's own tool, for example pkcs11-tool --keypairgen --key-type EC:prime256v1",
    });
  }
  const keyType = (await session.attribute(privateKey, CK.keyType)).readUInt32LE();
  if (keyType === CK.ecKey) {
    const publicKey = await ecKey(session, publicObject);
    const { hash } = signatureAlgorithmOf(publicKey);
    return {
      publicKey,
      sign: async (bytes) =>
        ecdsaSignature(await session.sign(privateKey, CK.ecdsa, createHash(hash).update(bytes).digest())),
    };
  }
  const publicKey = await rsaKey(session, publicObject);
  signatureAlgorithmOf(publicKey);
  return { publicKey, sign: (bytes) => session.sign(privateKey, CK.sha256RsaPkcs, bytes) };
}

async function ecKey(session: CryptokiSession, object: number): Promise<KeyObject> {
  const params = (await session.attribute(object, CK.ecParams)).toString("hex");
  const crv = CURVES[params];
  if (crv === undefined) {
    throw new MeshError(
      "config.invalid",
      "use the PKCS#11 token's key: it is on a curve that is not signed with",
      {
        hint: "P-256 or P-384",
      },
    );
  }
  // An OCTET STRING around the uncompressed point.
  const what = "the token's public key";
  const bytes = octetStringBytes(decodeDer(await session.attribute(object, CK.ecPoint), what), what);
  const point = Buffer.from(bytes, "latin1").subarray(1);
  const half = point.length / 2;
  const [x, y] = [point.subarray(0, half), point.subarray(half)].map((part) => part.toString("base64url"));
  return createPublicKey({ key: { kty: "EC", crv, x: x ?? "", y: y ?? "" }, format: "jwk" });
}

async function rsaKey(session: CryptokiSession, object: number): Promise<KeyObject> {
  const n = (await session.attribute(object, CK.modulus)).toString("base64url");
  const e = (await session.attribute(object, CK.publicExponent)).toString("base64url");
  return createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" });
}

/** A token answers r and s as they are; certificates have them as a SEQUENCE of integers. */
function ecdsaSignature(raw: Buffer): Buffer {
  const half = raw.length / 2;
  return encodeDer(der.sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half))));
}

function integer(bytes: Buffer): ReturnType<typeof der.integer> {
  const first = bytes.findIndex((byte) => byte !== 0);
  const value = bytes.subarray(first === -1 ? bytes.length - 1 : first);
  const positive = ((value[0] ?? 0) & 0x80) === 0 ? value : Buffer.concat([Buffer.alloc(1), value]);
  return der.integer(latin1(positive));
}
