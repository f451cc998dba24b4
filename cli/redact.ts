import { MeshError } from "../mesh/errors.ts";

const REDACTED = "[redacted]";

/** Field names that hold secrets, whatever is in front of them: `joinToken`, `X-Consul-Token`, `private_key`. */
const SECRET_NAME =
  /(token|secret|password|passphrase|authorization|cookie|private[-_]?key|key[-_]?pem|credentials?)$/i;

/** Secrets that show by themselves: join tokens, access tokens, JWTs, bearer credentials, private keys. */
const SECRET_TEXT =
  /lateen1\.[\w.-]+|lateen-access\.[\w.-]+|\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]*|(?<=\bBearer )[\x21-\x7e]+|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;

const DEEPEST = 6;

/** The fields as they may be written to a log. Errors become their code, message and causes; what is deep is cut. */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactFields(fields, 0);
}

function redactFields(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      SECRET_NAME.test(name) && value !== undefined ? REDACTED : redactValue(value, depth),
    ]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.replaceAll(SECRET_TEXT, REDACTED);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEEPEST) return "…";
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (value instanceof Map) return redactFields(Object.fromEntries(value), depth + 1);
  if (value instanceof Set || Array.isArray(value))
    return [...value].map((item) => redactValue(item, depth + 1));
  return redactFields(value as Record<string, unknown>, depth + 1);
}

function redactError(error: Error, depth: number): unknown {
  const known = error instanceof MeshError;
  return {
    ...(known ? { code: error.code } : {}),
    message: redactValue(error.message, depth),
    // The stack of what is not ours is what finds the bug; a MeshError says what it is by its code.
    ...(known ? {} : { stack: redactValue(error.stack ?? "", depth) }),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}
