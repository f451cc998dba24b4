export type JsonObject = Readonly<Record<string, unknown>>;

const DEEPEST = 32;
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/**
 * A JSON object whose every name is there once, at all depths: what two parsers could read in two ways is refused
 * (RFC 7515 §4, RFC 7519 §4). Undefined: it is none.
 */
export function parseStrictObject(text: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return isUnambiguous(text) ? (value as JsonObject) : undefined;
}

/** `text` is JSON. */
function isUnambiguous(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      open.push(new Set());
      if (open.length > DEEPEST) return false;
    } else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      const names = open.at(-1);
      if (names === undefined || names.has(name)) return false;
      names.add(name);
    }
  }
  return true;
}
