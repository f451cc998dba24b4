/** How a string must look. A regex is RE2 and matches the whole value. */
export type StringMatch =
  | {
      readonly kind: "exact" | "prefix" | "suffix" | "contains";
      readonly value: string;
      readonly ignoreCase: boolean;
    }
  | { readonly kind: "regex"; readonly value: string };

/** A condition on one request header; pseudo headers (`:method`, `:path`, `:authority`, `:scheme`) are headers too. */
export interface HeaderMatch {
  /** Lower case. */
  readonly name: string;
  readonly test: HeaderTest;
  readonly invert: boolean;
  /** A header that is not there counts as an empty one instead of never matching. */
  readonly missingIsEmpty: boolean;
}

export type HeaderTest =
  | { readonly kind: "string"; readonly match: StringMatch }
  | { readonly kind: "present"; readonly present: boolean }
  /** Decimal integer in `[start, end)`. */
  | { readonly kind: "range"; readonly start: number; readonly end: number };

/** A condition on one query parameter; without `match` its presence is enough. */
export interface QueryMatch {
  readonly name: string;
  readonly match: StringMatch | undefined;
}

export interface Cidr {
  readonly address: string;
  readonly length: number;
}
