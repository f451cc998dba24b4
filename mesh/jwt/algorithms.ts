/** How a signature is made with a key of a kind (RFC 7518 §3, RFC 8037 §3.1). */
export interface SignatureScheme {
  readonly keyType: "RSA" | "EC" | "OKP";
  /** Of an EC or OKP key; empty for RSA. */
  readonly curve: string;
  /** Undefined: the key's own (EdDSA). */
  readonly hash: "sha256" | "sha384" | "sha512" | undefined;
  readonly pss: boolean;
}

export type JwtAlgorithm =
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA";

function rsa(hash: SignatureScheme["hash"], pss: boolean): SignatureScheme {
  return { keyType: "RSA", curve: "", hash, pss };
}

function ec(curve: string, hash: SignatureScheme["hash"]): SignatureScheme {
  return { keyType: "EC", curve, hash, pss: false };
}

/** All that are taken: signatures by a private key. `none` and shared secrets (HS256 and its kin) are not among them. */
export const ALGORITHMS: ReadonlyMap<string, SignatureScheme> = new Map<JwtAlgorithm, SignatureScheme>([
  ["RS256", rsa("sha256", false)],
  ["RS384", rsa("sha384", false)],
  ["RS512", rsa("sha512", false)],
  ["PS256", rsa("sha256", true)],
  ["PS384", rsa("sha384", true)],
  ["PS512", rsa("sha512", true)],
  ["ES256", ec("P-256", "sha256")],
  ["ES384", ec("P-384", "sha384")],
  ["ES512", ec("P-521", "sha512")],
  ["EdDSA", { keyType: "OKP", curve: "Ed25519", hash: undefined, pss: false }],
]);

/** Names are case-sensitive (RFC 7515 §4.1.1). */
export function isAlgorithm(name: unknown): name is JwtAlgorithm {
  return typeof name === "string" && ALGORITHMS.has(name);
}
