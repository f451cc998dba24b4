import type { HeaderMatcher } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { StringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";

/** True, false, or undefined: what is asked about is not known. */
export type Truth = boolean | undefined;

/**
 * What is known of a call that was only seen from afar. Of its headers, its caller's address, its server name and its
 * token that is never more than this, so that what policies ask about the rest has no answer.
 */
export interface HiddenParts {
  readonly method: "known" | "hidden";
  readonly host: "known" | "hidden";
  /** `start`: the call's path is what it begins with. */
  readonly path: "known" | "start" | "hidden";
  readonly token: SeenToken;
}

export type SeenToken =
  | { readonly kind: "none" }
  /** It was verified. */
  | { readonly kind: "of"; readonly issuer: string }
  /** It was no good. */
  | { readonly kind: "refused" }
  | { readonly kind: "hidden" };

/** Of all that are true, or of one. */
export function every(truths: Iterable<Truth>): Truth {
  let all: Truth = true;
  for (const truth of truths) {
    if (truth === false) return false;
    if (truth === undefined) all = undefined;
  }
  return all;
}

export function some(truths: Iterable<Truth>): Truth {
  let one: Truth = false;
  for (const truth of truths) {
    if (truth === true) return true;
    if (truth === undefined) one = undefined;
  }
  return one;
}

export function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

/** Whether a header, or a pseudo header, of such a call is known. */
export function isHeaderKnown({ name }: HeaderMatcher, { method, host }: HiddenParts): boolean {
  if (name === ":method") return method === "known";
  return (name === ":authority" || name.toLowerCase() === "host") && host === "known";
}

/** A matcher of paths, where only the start of the path is known. */
export function matchStart({ exact, prefix, ignoreCase }: StringMatcher, start: string): Truth {
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  const known = fold(start);
  if (exact !== undefined) return fold(exact).startsWith(known) ? undefined : false;
  if (prefix === undefined) return undefined;
  if (known.startsWith(fold(prefix))) return true;
  return fold(prefix).startsWith(known) ? undefined : false;
}
