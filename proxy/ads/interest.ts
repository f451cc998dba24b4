import { PUSH_ORDER, type TypeUrl } from "../../mesh/xds/type-urls.ts";

/** Which resources of a type are wanted: all of them (wildcard), or those of these names. */
export type Interest = "all" | ReadonlySet<string>;

export type Interests = ReadonlyMap<TypeUrl, Interest>;

/** The order in which types are asked for: what is referred to first. */
export const ASK_ORDER: readonly TypeUrl[] = PUSH_ORDER;

export interface InterestChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

/** What to tell the server when interest in a type has changed; undefined: nothing. A wildcard never changes. */
export function changeOfInterest(
  before: Interest | undefined,
  after: Interest | undefined,
): InterestChange | undefined {
  if (before === "all" || after === "all") return undefined;
  const old = before ?? new Set<string>();
  const now = after ?? new Set<string>();
  const subscribe = [...now.difference(old)].sort();
  const unsubscribe = [...old.difference(now)].sort();
  return subscribe.length + unsubscribe.length === 0 ? undefined : { subscribe, unsubscribe };
}
