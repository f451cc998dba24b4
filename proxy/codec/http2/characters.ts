import {
  isDigit as digit,
  SPACE,
  TAB,
  isTarget as target,
  isToken as token,
  isUpper as upper,
  isValue as value,
} from "../field-syntax.ts";

/** A field name of HTTP/2: a token without upper case (RFC 9113 §8.2.1). */
export function isLowerName(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!token(code) || upper(code)) return false;
  }
  return text !== "";
}

/** RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!token(text.charCodeAt(at))) return false;
  return text !== "";
}

/** No control character but the tab, and no blank at either end (RFC 9113 §8.2.1, RFC 9110 §5.5). */
export function isFieldValue(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!value(text.charCodeAt(at))) return false;
  return !isBlank(text.charCodeAt(0)) && !isBlank(text.charCodeAt(text.length - 1));
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** What a request target may hold, as in HTTP/1.1. */
export function isTarget(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!target(text.charCodeAt(at))) return false;
  return text !== "";
}

/** Decimal digits, at most 15 of them: a number that is exact. */
export function parseLength(text: string): number | undefined {
  for (let at = 0; at < text.length; at++) if (!digit(text.charCodeAt(at))) return undefined;
  return text !== "" && text.length <= 15 ? Number(text) : undefined;
}
