import { WILDCARD } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, type TypeUrl } from "../../mesh/xds/type-urls.ts";

/** Names of the resources of a type that are wanted; `*` among them: all that the server has for this node. */
export type Interest = ReadonlySet<string>;

/** All there are, and nothing that has to be asked for by name. */
export const ALL: Interest = new Set([WILDCARD]);

export type Interests = ReadonlyMap<TypeUrl, Interest>;

/** The order in which types are asked for: what is referred to first. */
export const ASK_ORDER: readonly TypeUrl[] = PUSH_ORDER;

export interface InterestChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

/** How a first request asks: for all there are it names nothing, the one form that every server knows. */
export function firstNames(interest: Interest): readonly string[] {
  const names = [...interest].sort();
  return names.length === 1 && names[0] === WILDCARD ? [] : names;
}

export function isOf(interest: Interest, name: string): boolean {
  return interest.has(WILDCARD) || interest.has(name);
}

/** What to tell the server when interest in a type has changed; undefined: nothing. */
export function changeOfInterest(
  before: Interest | undefined,
  after: Interest | undefined,
): InterestChange | undefined {
  if (before === after) return undefined;
  const old = before ?? new Set<string>();
  const now = after ?? new Set<string>();
  const subscribe = [...now.difference(old)].sort();
  const unsubscribe = [...old.difference(now)].sort();
  return subscribe.length + unsubscribe.length === 0 ? undefined : { subscribe, unsubscribe };
}
