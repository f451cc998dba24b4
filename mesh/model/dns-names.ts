import { isIP } from "node:net";

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
/** Host names are case-insensitive and some registries write underscores; object names are neither (RFC 1123). */
const HOST_LABEL = /^[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?$/i;
const WILDCARD_LABEL = /^\*(?:-?[a-z0-9](?:[-a-z0-9]{0,60}[a-z0-9])?)?$/i;
const LONGEST_NAME = 253;

/** RFC 1123 label: what a namespace is called. */
export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/** The same in either case: what Istio lets a subset and a port be called. */
export function isMixedCaseLabel(text: string): boolean {
  return LABEL.test(text.toLowerCase());
}

/** RFC 1123 subdomain: labels joined by dots, what an object is called. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= LONGEST_NAME && text.split(".").every(isDnsLabel);
}

/** A host name without a wildcard; a final dot is allowed. A name whose last label is a number is an address's. */
export function isHostName(text: string): boolean {
  const labels = withoutFinalDot(text).split(".");
  return text.length <= LONGEST_NAME && labels.every(isHostLabel) && !endsWithNumber(labels);
}

/** A host name whose first label may be, or may begin with, `*`. */
export function isWildcardHost(text: string): boolean {
  if (text.length > LONGEST_NAME) return false;
  const [first = "", ...rest] = withoutFinalDot(text).split(".");
  const valid = (WILDCARD_LABEL.test(first) || isHostLabel(first)) && rest.every(isHostLabel);
  return valid && !endsWithNumber(rest);
}

/** An IP address, or a range in CIDR form. */
export function isIpRange(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || address.includes("%") || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function endsWithNumber(labels: readonly string[]): boolean {
  return /^\d+$/.test(labels.at(-1) ?? "");
}

function isHostLabel(text: string): boolean {
  return HOST_LABEL.test(text);
}

function withoutFinalDot(text: string): string {
  return text.endsWith(".") && text.length > 1 ? text.slice(0, -1) : text;
}
