import type { KeyObject } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import { type DerNode, der, encodeDer, oid } from "../../mesh/identity/der.ts";

/** How an authority signs: what Node is told, and the AlgorithmIdentifier that certificates carry. */
export interface SignatureAlgorithm {
  readonly hash: "sha256" | "sha384";
  /** Encoded once. */
  readonly identifier: DerNode;
}

const identifier = (dotted: string, ...parameters: readonly DerNode[]): DerNode =>
  der.encoded(encodeDer(der.sequence(der.oid(oid(dotted)), ...parameters)));

const ECDSA_SHA256: SignatureAlgorithm = { hash: "sha256", identifier: identifier("1.2.840.10045.4.3.2") };
const ECDSA_SHA384: SignatureAlgorithm = { hash: "sha384", identifier: identifier("1.2.840.10045.4.3.3") };
/** PKCS#1 v1.5; its parameters are NULL and must be there (RFC 4055 §5). */
const RSA_SHA256: SignatureAlgorithm = {
  hash: "sha256",
  identifier: identifier("1.2.840.113549.1.1.11", der.encoded(Buffer.from([0x05, 0x00]))),
};

/** The algorithm of a CA's key: P-256, P-384 or RSA of 2048 to 4096 bits. Throws `config.invalid` for any other. */
export function signatureAlgorithmOf(key: KeyObject): SignatureAlgorithm {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return ECDSA_SHA256;
  if (key.asymmetricKeyType === "ec" && namedCurve === "secp384r1") return ECDSA_SHA384;
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048 && modulusLength <= 4096) return RSA_SHA256;
  throw new MeshError("config.invalid", "use the CA's key: it is of a kind that Lateen does not sign with", {
    hint: "P-256, P-384 or RSA with 2048 to 4096 bits",
  });
}
