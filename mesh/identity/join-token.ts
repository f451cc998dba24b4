import { randomBytes } from "node:crypto";
import { MeshError } from "../errors.ts";
import { isTrustDomain, type TrustDomain } from "./trust-domain.ts";

/**
 * What a host needs to become an agent: where the server is, by which key to know its CA, and a secret that is good
 * once. As text: `lateen1.<base64url of {"a":[…],"t":"…"}>.<pin>.<secret>`. Never logged, never printed again.
 */
export interface JoinToken {
  /** `host:port`, at least one; tried in their order. */
  readonly addresses: readonly string[];
  readonly trustDomain: TrustDomain;
  /** SHA-256 of the CA certificate's SubjectPublicKeyInfo, base64url. */
  readonly pin: string;
  /** 256 random bits, base64url. */
  readonly secret: string;
}

const PREFIX = "lateen1";
const MAX_LENGTH = 4096;
const MAX_ADDRESSES = 16;
/** 32 bytes in base64url; the last character carries four bits and two zeros, so that each value has one spelling. */
const BYTES_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const ADDRESS = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})$/;

/** 256 bits from the system's generator. */
export function generateJoinSecret(): string {
  return randomBytes(32).toString("base64url");
}

export function isJoinSecret(text: string): boolean {
  return BYTES_32.test(text);
}

export function formatJoinToken(token: JoinToken): string {
  const where = Buffer.from(JSON.stringify({ a: token.addresses, t: token.trustDomain })).toString(
    "base64url",
  );
  return `${PREFIX}.${where}.${token.pin}.${token.secret}`;
}

/** Throws `agent.join` for anything else; the message never has a part of the text in it. */
export function parseJoinToken(text: string): JoinToken {
  const [prefix, where = "", pin = "", secret = "", ...rest] = text.trim().split(".");
  if (text.length > MAX_LENGTH || prefix !== PREFIX || rest.length > 0)
    throw unreadable("it is not a join token");
  if (!BYTES_32.test(pin) || !BYTES_32.test(secret)) throw unreadable("it is cut off or altered");
  const { a, t } = decodeWhere(where);
  if (typeof t !== "string" || !isTrustDomain(t)) throw unreadable("its trust domain is not valid");
  if (!Array.isArray(a) || a.length === 0 || a.length > MAX_ADDRESSES || !a.every(isAddress)) {
    throw unreadable("its server addresses are not valid");
  }
  return { addresses: a, trustDomain: t, pin, secret };
}

function decodeWhere(text: string): { readonly a?: unknown; readonly t?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    throw unreadable("it is cut off or altered");
  }
}

function isAddress(value: unknown): value is string {
  const port = typeof value === "string" ? ADDRESS.exec(value)?.[1] : undefined;
  return port !== undefined && Number(port) > 0 && Number(port) <= 65_535;
}

function unreadable(why: string): MeshError {
  return new MeshError("agent.join", `read the join token: ${why}`, {
    hint: "make a new one on the server with `lateen token create` and copy the whole line",
  });
}
