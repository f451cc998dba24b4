import { randomBytes } from "node:crypto";

/** An access token as its holder has it: `lateen-access.<id>.<secret>`; the prefix lets scanners of secrets find it. */
export interface AccessToken {
  readonly id: string;
  /** 256 random bits, base64url. */
  readonly secret: string;
}

const FORM = /^lateen-access\.([a-z0-9]{12})\.([A-Za-z0-9_-]{43})$/;
const ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz012345";

export function generateAccessToken(): AccessToken {
  const id = [...randomBytes(12)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join("");
  return { id, secret: randomBytes(32).toString("base64url") };
}

export function formatAccessToken({ id, secret }: AccessToken): string {
  return `lateen-access.${id}.${secret}`;
}

/** Undefined for what has not the form of one. */
export function parseAccessToken(text: string): AccessToken | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}
