import { errorAt, type Finding } from "./finding.ts";

/** Characters of a pattern. */
export const LONGEST_PATTERN: number = 1024;
/** Cost of one pattern. */
export const LARGEST_COST: number = 20_000;
/** Cost of all patterns of one object together: some tenths of a second, and more than a thousand honest patterns. */
const MOST_COST = 200_000;
/** Of StringMatch and of RegexRewrite. */
const PATTERN_FIELDS: readonly string[] = ["regex", "match"];
/** A class of Unicode is a table of ranges, which is read once. */
const UNICODE_CLASS = 100;

/** `\Q…\E`, a Unicode class, an escape, a class, a repetition, or any other character. */
const TOKEN =
  /\\Q[\s\S]*?(?:\\E|$)|\\[pP]|\\[\s\S]|\[\^?\]?(?:\\[\s\S]|\[:\w+:\]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|[\s\S]/g;

/** About how many instructions RE2 would make of a pattern, without making them: the time that compiling it takes. */
export function regexCost(pattern: string): number {
  const open: number[] = [];
  let sum = 0;
  let last = 0;
  let tables = 0;
  for (const [token, least, most] of pattern.matchAll(TOKEN)) {
    if (token === "(") {
      open.push(sum);
      [sum, last] = [0, 0];
    } else if (token === ")") {
      last = sum + 2;
      sum = (open.pop() ?? 0) + last;
    } else if (least !== undefined) {
      const always = Math.max(Number(least), 1);
      // A copy that may be left out has one instruction more, the choice.
      const optional = Math.max(Number(most ?? 0) - always, 0);
      const repeated = last * always + (last + 1) * optional;
      sum += repeated - last;
      last = repeated;
    } else {
      last = token.startsWith("\\Q") ? token.length : 1;
      sum += last;
      tables += token.length > 1 ? (token.match(/\\[pP]/g)?.length ?? 0) : 0;
    }
  }
  return open.reduce((total, outer) => total + outer, sum) + tables * UNICODE_CLASS;
}

/** Refuses an object whose patterns together cost more than checking them is worth. */
export function regexCostProblem(spec: unknown): Finding | undefined {
  return totalCost(spec) > MOST_COST
    ? errorAt(["spec"], "has regular expressions that are too large together")
    : undefined;
}

function totalCost(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let total = 0;
  if (Array.isArray(value)) {
    for (const item of value) total += totalCost(item);
    return total;
  }
  for (const key of Object.keys(value)) {
    const child: unknown = Reflect.get(value, key);
    total += typeof child === "string" && PATTERN_FIELDS.includes(key) ? ownCost(child) : totalCost(child);
  }
  return total;
}

/** What is too large by itself is refused by itself, without being compiled. */
function ownCost(pattern: string): number {
  if (pattern.length > LONGEST_PATTERN) return 0;
  const cost = regexCost(pattern);
  return cost > LARGEST_COST ? 0 : cost;
}
