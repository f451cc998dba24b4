import type { RouteMatch } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { RegexMatchAndSubstitute } from "../../mesh/xds/gen/envoy/type/matcher/v3/regex.ts";
import { compileRegex } from "./match-string.ts";

export interface PathRewrite {
  /** Empty: none. */
  readonly prefixRewrite: string;
  readonly regexRewrite: RegexMatchAndSubstitute | undefined;
}

/** The path without its query after a rewrite: a prefix takes the place of what the route matched, literally. */
export function rewritePath(
  { prefixRewrite, regexRewrite }: PathRewrite,
  match: RouteMatch,
  path: string,
): string {
  if (prefixRewrite !== "") return prefixRewrite + path.slice(matchedLength(match, path));
  return regexRewrite === undefined ? path : substitute(regexRewrite, path);
}

/** The whole path of an exact or regex match. */
function matchedLength({ prefix, pathSeparatedPrefix }: RouteMatch, path: string): number {
  return (prefix ?? pathSeparatedPrefix ?? path).length;
}

/** RE2::GlobalReplace: every match that does not overlap, and no empty one right after another. */
export function substitute({ pattern, substitution }: RegexMatchAndSubstitute, text: string): string {
  const matcher = compileRegex(pattern?.regex ?? "").matcher(text);
  let result = "";
  let end = 0;
  let lastEnd = -1;
  while (matcher.find()) {
    const [from, to] = [matcher.start(), matcher.end()];
    if (from === to && from === lastEnd) continue;
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => matcher.group(index) ?? "");
    result += text.slice(end, from) + fill(substitution, groups);
    end = to;
    lastEnd = to;
  }
  return result + text.slice(end);
}

/** RE2 writes groups as `\1`, the whole match as `\0` and a backslash as `\\`. */
function fill(substitution: string, groups: readonly string[]): string {
  return substitution.replaceAll(/\\(\d|\\)/g, (_, what: string) =>
    what === "\\" ? "\\" : (groups[Number(what)] ?? ""),
  );
}
