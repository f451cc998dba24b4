/** What each byte may be part of, as one table of bits. */
const LOWER_TOKEN = 1;
const TOKEN = 2;
const VISIBLE = 4;
const VALUE = 8;
const HOST = 16;
const DIGIT = 32;
const ADDRESS = 64;

const CLASSES = new Uint8Array(256);
mark("0123456789", LOWER_TOKEN | TOKEN | HOST | DIGIT | ADDRESS);
mark("abcdefghijklmnopqrstuvwxyz", LOWER_TOKEN | TOKEN | HOST);
mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", TOKEN | HOST);
mark("!#$%&'*+-.^_`|~", LOWER_TOKEN | TOKEN);
mark("-._~", HOST);
mark("abcdefABCDEF:.", ADDRESS);
for (let code = 0x21; code < 0x7f; code++) CLASSES[code] = (CLASSES[code] ?? 0) | VISIBLE;
for (let code = 0x20; code < 0x100; code++) if (code !== 0x7f) CLASSES[code] = (CLASSES[code] ?? 0) | VALUE;
mark("\t", VALUE);

function mark(characters: string, bits: number): void {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    CLASSES[code] = (CLASSES[code] ?? 0) | bits;
  }
}

function all(text: string, from: number, to: number, bit: number): boolean {
  for (let at = from; at < to; at++) if (((CLASSES[text.charCodeAt(at)] ?? 0) & bit) === 0) return false;
  return true;
}

/** A field name of HTTP/2: a token without upper case (RFC 9113 §8.2.1). */
export function isLowerName(text: string): boolean {
  return text !== "" && all(text, 0, text.length, LOWER_TOKEN);
}

/** RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  return text !== "" && all(text, 0, text.length, TOKEN);
}

/** No control character but the tab, and no blank at either end (RFC 9113 §8.2.1, RFC 9110 §5.5). */
export function isFieldValue(text: string): boolean {
  return !isBlank(text, 0) && !isBlank(text, text.length - 1) && all(text, 0, text.length, VALUE);
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}

/** What a request target may hold: visible ASCII. */
export function isVisible(text: string): boolean {
  return text !== "" && all(text, 0, text.length, VISIBLE);
}

/** Decimal digits, at most 15 of them: a number that is exact. */
export function parseLength(text: string): number | undefined {
  return text !== "" && text.length <= 15 && all(text, 0, text.length, DIGIT) ? Number(text) : undefined;
}

/** `name`, `1.2.3.4` or `[::1]`, with or without a port (RFC 3986 §3.2 without user information). */
export function isAuthority(text: string): boolean {
  const bracket = text.startsWith("[");
  const hostEnd = bracket ? text.indexOf("]") + 1 : endOfName(text);
  if (hostEnd < (bracket ? 3 : 1)) return false;
  if (bracket && !all(text, 1, hostEnd - 1, ADDRESS)) return false;
  if (hostEnd === text.length) return true;
  const digits = text.length - hostEnd - 1;
  return text[hostEnd] === ":" && digits >= 1 && digits <= 5 && all(text, hostEnd + 1, text.length, DIGIT);
}

function endOfName(text: string): number {
  let at = 0;
  while (at < text.length && ((CLASSES[text.charCodeAt(at)] ?? 0) & HOST) !== 0) at++;
  return at;
}
