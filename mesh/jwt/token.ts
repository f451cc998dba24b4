import { isAlgorithm, type JwtAlgorithm } from "./algorithms.ts";
import { type JsonObject, parseStrictObject } from "./strict-json.ts";

/** A JWT in the compact form of a JWS (RFC 7515 §7.1), read and not yet verified. */
export interface Token {
  readonly alg: JwtAlgorithm;
  readonly kid: string | undefined;
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** The claims as the token spells them (base64url). */
  readonly payload: string;
  readonly signed: string;
  readonly signature: Buffer;
}

/** Envoy's words, which callers are told. */
export type TokenProblem =
  | "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
  | "Jwt header is an invalid JSON or Base64url"
  | "Jwt header [alg] field is not supported"
  | "Jwt header has critical extensions that are not understood"
  | "Jwt payload is an invalid JSON or Base64url"
  | "Jwt signature is an invalid Base64url";

const LONGEST = 64 * 1024;
const LONGEST_KID = 1024;

/**
 * Reads a token strictly: three parts in canonical base64url, JSON objects without a name twice, an algorithm of our
 * list, and nothing that it says must be understood (`crit`). Keys that a header brings (`jwk`, `jku`, `x5u`, `x5c`) are
 * not looked at.
 */
export function parseToken(text: string): Token | TokenProblem {
  const parts = text.length > LONGEST ? [] : text.split(".");
  const [head = "", payload = "", tail = ""] = parts;
  if (parts.length !== 3 || tail === "")
    return "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
  const header = decodeObject(head);
  if (header === undefined) return "Jwt header is an invalid JSON or Base64url";
  const { alg, kid, crit, b64 } = header;
  if (!isAlgorithm(alg)) return "Jwt header [alg] field is not supported";
  if (crit !== undefined || b64 !== undefined)
    return "Jwt header has critical extensions that are not understood";
  if (kid !== undefined && (typeof kid !== "string" || kid.length > LONGEST_KID))
    return "Jwt header is an invalid JSON or Base64url";
  const claims = decodeObject(payload);
  if (claims === undefined) return "Jwt payload is an invalid JSON or Base64url";
  const signature = decode(tail);
  if (signature === undefined) return "Jwt signature is an invalid Base64url";
  return {
    alg,
    kid: kid === "" ? undefined : kid,
    header,
    claims,
    payload,
    signed: `${head}.${payload}`,
    signature,
  };
}

function decodeObject(part: string): JsonObject | undefined {
  const bytes = decode(part);
  if (bytes === undefined) return undefined;
  try {
    return parseStrictObject(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Undefined for anything that is not the one spelling of its bytes. */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, "base64url");
  return bytes.toString("base64url") === part ? bytes : undefined;
}
