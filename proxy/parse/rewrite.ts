import type { RegexMatchAndSubstitute } from "../../mesh/xds/gen/envoy/type/matcher/v3/regex.ts";
import type { PathRewrite } from "../model/route.ts";
import { parseRegex } from "./match.ts";

export function parseRewrite(
  where: string,
  prefix: string | undefined,
  regex: RegexMatchAndSubstitute | undefined,
): PathRewrite | undefined {
  if (regex) {
    return { kind: "regex", pattern: parseRegex(where, regex.pattern), substitution: regex.substitution };
  }
  return prefix ? { kind: "prefix", value: prefix } : undefined;
}
