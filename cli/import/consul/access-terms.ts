import { negated, type RequestPart } from "./request-part.ts";
import { covers, isSame, type Source } from "./source.ts";

export type Action = "allow" | "deny";

/** What one intention says of its source: the first statement whose parts all hold. The last has none. */
export interface Ruling {
  readonly source: Source;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly action: Action;
  readonly parts: readonly RequestPart[];
}

/** Calls of a source, without those of the narrower sources beside it, that are like all parts. */
export interface Term {
  readonly source: Source;
  readonly except: readonly Source[];
  readonly parts: readonly RequestPart[];
}

/** More is no policy that a person would read. */
const MOST_TERMS = 64;

/**
 * The calls that a list of rulings decides with `action`. Consul takes the first ruling whose source fits; policies of
 * ours have no order, so each term says itself what was before it.
 */
export function termsOf(rulings: readonly Ruling[], action: Action): readonly Term[] {
  return rulings.flatMap((ruling, index) => {
    const earlier = rulings.slice(0, index);
    if (earlier.some(({ source }) => covers(source, ruling.source))) return [];
    const except = earlier
      .filter((other) => covers(ruling.source, other.source) && !isAlways(other, action))
      .map(({ source }) => source);
    return partsOf(ruling.statements, action).map((parts) => ({ source: ruling.source, except, parts }));
  });
}

/** Whether the terms are every call there is. */
export function isEverything(terms: readonly Term[]): boolean {
  return terms.some(
    ({ source, except, parts }) => source.kind === "any" && except.length === 0 && parts.length === 0,
  );
}

/** Whether a ruling can be said: its conditions, each with what was before it, are not too many. */
export function isSayable({ statements }: Ruling): boolean {
  return (["allow", "deny"] as const).every((action) => partsOf(statements, action).length <= MOST_TERMS);
}

/** The second of two rulings for one source never counts in Consul, which has one for each. */
export function withoutRepeats(rulings: readonly Ruling[]): readonly Ruling[] {
  return rulings.filter(
    ({ source }, index) => rulings.findIndex((other) => isSame(other.source, source)) === index,
  );
}

function isAlways({ statements }: Ruling, action: Action): boolean {
  return statements.every((statement) => statement.action === action);
}

/** The conjunctions under which a statement with `action` is the first that holds. */
function partsOf(statements: readonly Statement[], action: Action): readonly (readonly RequestPart[])[] {
  const always = statements.every((statement) => statement.action === action);
  if (always && statements.length > 0) return [[]];
  return statements.flatMap((statement, index) => {
    if (statement.action !== action) return [];
    let found: readonly (readonly RequestPart[])[] = [statement.parts];
    for (const before of statements.slice(0, index)) {
      if (before.action === action) continue;
      found = found.flatMap((parts) => before.parts.map((part) => [...parts, negated(part)]));
      if (found.length > MOST_TERMS) return found;
    }
    return found;
  });
}
