/** Classes of the octets of a head, whatever codec carries it (RFC 9110 §5.6.2, §5.5; RFC 9112 §3), by their codes. */
const TOKEN = 1;
const UPPER = 2;
const UNDERSCORE = 4;
const VALUE = 8;
const TARGET = 16;
const DIGIT = 32;
const HEX = 64;
const REG_NAME = 128;

/** Index is the code of the octet. */
const CLASSES = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (characters: string, kind: number): void => {
    for (const character of characters)
      table[character.charCodeAt(0)] = (table[character.charCodeAt(0)] ?? 0) | kind;
  };
  const digits = "0123456789";
  const lower = "abcdefghijklmnopqrstuvwxyz";
  add(`!#$%&'*+-.^_\`|~${digits}${lower}${lower.toUpperCase()}`, TOKEN);
  add(lower.toUpperCase(), UPPER);
  add("_", UNDERSCORE);
  add(digits, DIGIT);
  add(`${digits}abcdefABCDEF`, HEX);
  add(`${digits}${lower}${lower.toUpperCase()}._~-`, REG_NAME);
  add("\t ", VALUE);
  for (let code = 0x21; code <= 0xff; code++) {
    if (code === 0x7f) continue;
    table[code] = (table[code] ?? 0) | VALUE;
    // Fragments are not sent, and backslashes are read as slashes by some.
    if (code < 0x7f && code !== 0x23 && code !== 0x5c) table[code] = (table[code] ?? 0) | TARGET;
  }
  return table;
}

export const CR = 13;
export const LF = 10;
export const COLON = 58;
export const SPACE = 32;
export const TAB = 9;

/** Of a method, and of the name of a field. */
export function isToken(code: number): boolean {
  return ((CLASSES[code] ?? 0) & TOKEN) !== 0;
}

export function isUpper(code: number): boolean {
  return ((CLASSES[code] ?? 0) & UPPER) !== 0;
}

export function isUnderscore(code: number): boolean {
  return ((CLASSES[code] ?? 0) & UNDERSCORE) !== 0;
}

/** Of a field's value, spaces and tabs inside it included. */
export function isValue(code: number): boolean {
  return ((CLASSES[code] ?? 0) & VALUE) !== 0;
}

export function isTarget(code: number): boolean {
  return ((CLASSES[code] ?? 0) & TARGET) !== 0;
}

export function isDigit(code: number): boolean {
  return ((CLASSES[code] ?? 0) & DIGIT) !== 0;
}

export function isHex(code: number): boolean {
  return ((CLASSES[code] ?? 0) & HEX) !== 0;
}

/** Decide framing or identity: a spelling that some server folds into them is as bad as the header itself. */
const SENSITIVE: ReadonlySet<string> = new Set([
  "transfer-encoding",
  "content-length",
  "host",
  "connection",
  "x-forwarded-client-cert",
  "x-forwarded-proto",
]);

/** Servers that read `_` as `-` take this name, in lower case, for one that decides framing or identity. */
export function isDisguised(name: string): boolean {
  return name.includes("_") && SENSITIVE.has(name.replaceAll("_", "-"));
}

const LONGEST_PORT = 5;

/** `name`, `1.2.3.4` or `[::1]`, with or without a port: no user, no path, no other disguise (RFC 3986 §3.2). */
export function isAuthority(text: string): boolean {
  const end = text.charCodeAt(0) === 0x5b ? endOfLiteral(text) : endOfName(text);
  if (end === 0) return false;
  if (end === text.length) return true;
  const digits = text.length - end - 1;
  if (text.charCodeAt(end) !== COLON || digits < 1 || digits > LONGEST_PORT) return false;
  for (let index = end + 1; index < text.length; index++) if (!isDigit(text.charCodeAt(index))) return false;
  return true;
}

function endOfName(text: string): number {
  let index = 0;
  while (index < text.length && ((CLASSES[text.charCodeAt(index)] ?? 0) & REG_NAME) !== 0) index++;
  return index;
}

/** 0: it is no IP literal. */
function endOfLiteral(text: string): number {
  let index = 1;
  for (; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code !== COLON && code !== 0x2e && !isHex(code)) break;
  }
  return index > 1 && text.charCodeAt(index) === 0x5d ? index + 1 : 0;
}

/** What may be asked of anybody; a method that nobody knows is refused (as llhttp does, and Envoy). */
export const METHODS: ReadonlySet<string> = new Set(
  (
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY " +
    "MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK " +
    "UNLOCK UNSUBSCRIBE"
  ).split(" "),
);
