/** Istio's StringMatch. `regex` is RE2 and matches the whole value; `present` is a match that only asks for existence. */
export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string }
  | { readonly kind: "present" };

export interface HeaderEdits {
  readonly set: Readonly<Record<string, string>>;
  readonly add: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

export interface HeaderOperations {
  readonly request: HeaderEdits;
  readonly response: HeaderEdits;
}
