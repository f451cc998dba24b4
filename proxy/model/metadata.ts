import type { StringMatch } from "./match.ts";

/** A condition on what a filter has left behind about a request. */
export interface MetadataMatch {
  readonly filter: string;
  readonly path: readonly string[];
  readonly value: ValueMatch;
  readonly invert: boolean;
}

export type ValueMatch =
  | { readonly kind: "string"; readonly match: StringMatch }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "present"; readonly present: boolean }
  /** A list with such an entry. */
  | { readonly kind: "list"; readonly oneOf: ValueMatch }
  | { readonly kind: "or"; readonly values: readonly ValueMatch[] };
