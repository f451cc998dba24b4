import { createPublicKey, type KeyObject } from "node:crypto";
import { MeshError } from "../errors.ts";

/** A key of a kind that the mesh takes, in its one encoding. An EC point is on its curve once the key has verified something. */
export interface AcceptedPublicKey {
  readonly type: "ec" | "rsa";
  readonly spkiDer: Buffer;
}

/**
 * SubjectPublicKeyInfo of an uncompressed point on a named curve is these bytes and then the point. Comparing them
 * leaves no room for explicit curve parameters (CVE-2020-0601), and spares decoding and encoding.
 */
const EC_SPKI = [
  { length: 91, header: Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex") },
  { length: 120, header: Buffer.from("3076301006072a8648ce3d020106052b8104002203620004", "hex") },
];

/**
 * Accepts a SubjectPublicKeyInfo if it is one that the mesh takes: P-256, P-384, RSA of 2048 to 4096 bits (more would
 * only make verifying expensive). Throws `identity.invalid`.
 */
export function parsePublicKey(spkiDer: Buffer): AcceptedPublicKey {
  if (EC_SPKI.some(({ length, header }) => spkiDer.length === length && startsWith(spkiDer, header))) {
    return { type: "ec", spkiDer };
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spkiDer, format: "der", type: "spki" });
  } catch (cause) {
    throw new MeshError("identity.invalid", "read a public key", { cause });
  }
  const problem = rsaProblem(key);
  if (problem === undefined) return { type: "rsa", spkiDer: key.export({ type: "spki", format: "der" }) };
  throw new MeshError("identity.invalid", `accept a public key: ${problem}`, {
    hint: "use an EC key on P-256 or P-384, or RSA with 2048 to 4096 bits",
  });
}

function startsWith(bytes: Buffer, header: Buffer): boolean {
  return bytes.subarray(0, header.length).equals(header);
}

function rsaProblem(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType === "ec") return "it is not an uncompressed point on P-256 or P-384";
  if (key.asymmetricKeyType !== "rsa")
    return `the type ${key.asymmetricKeyType ?? "unknown"} is not accepted`;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 4096) return `RSA with ${modulusLength} bits is not accepted`;
  // A huge exponent makes each verification slow.
  if (publicExponent < 3n || publicExponent > 0xffff_ffffn) return "its RSA exponent is not accepted";
  return undefined;
}
