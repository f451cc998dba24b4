import { RE2JS } from "re2js";
import { messageOf } from "../errors.ts";
import { LARGEST_COST, LONGEST_PATTERN, regexCost } from "./regex-cost.ts";

/** Envoy's default for the size at which it refuses a program is far below this; ours guards memory, not taste. */
const LARGEST_PROGRAM = 10_000;
const TOO_LARGE = "is too large once its repetitions are unfolded";

/** What is wrong with an RE2 pattern, or undefined. RE2 matches in linear time: no look-around, no back-references. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern === "") return "must not be empty";
  if (pattern.length > LONGEST_PATTERN) return `is longer than ${LONGEST_PATTERN} characters`;
  if (regexCost(pattern) > LARGEST_COST) return TOO_LARGE;
  try {
    const size = RE2JS.compile(pattern).programSize();
    return size > LARGEST_PROGRAM ? TOO_LARGE : undefined;
  } catch (error) {
    return `is not a valid RE2 expression: ${messageOf(error)}`;
  }
}

/** What is wrong with a replacement for what a valid RE2 pattern matches: `\\1` is its first group, `\\\\` a backslash. */
export function replacementProblem(pattern: string, replacement: string): string | undefined {
  if (replacement.length > LONGEST_PATTERN) return `is longer than ${LONGEST_PATTERN} characters`;
  const groups = RE2JS.compile(pattern).groupCount();
  for (const [, escaped = ""] of replacement.matchAll(/\\([\s\S]?)/g)) {
    if (escaped === "\\") continue;
    if (!/^\d$/.test(escaped)) return "must have a digit or a backslash after a backslash";
    if (Number(escaped) > groups) return `names group ${escaped}, but the pattern has ${groups}`;
  }
  return undefined;
}
