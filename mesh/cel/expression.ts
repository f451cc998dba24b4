/** The part of CEL (Common Expression Language) that filters of access logs are written in. */
export type CelExpression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  /** An attribute: `response.code` is `["response", "code"]`, `request.headers["x"]` is `["request", "headers", "x"]`. */
  | { readonly kind: "attribute"; readonly path: readonly string[] }
  | { readonly kind: "list"; readonly items: readonly CelExpression[] }
  | { readonly kind: "not"; readonly of: CelExpression }
  | { readonly kind: "has"; readonly path: readonly string[] }
  | { readonly kind: "size"; readonly of: CelExpression }
  | {
      readonly kind: "binary";
      readonly operator: CelOperator;
      readonly left: CelExpression;
      readonly right: CelExpression;
    }
  | {
      readonly kind: "method";
      readonly method: CelMethod;
      readonly of: CelExpression;
      readonly argument: CelExpression;
    };

export type CelOperator = "&&" | "||" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in";

export const CEL_METHODS = ["startsWith", "endsWith", "contains", "matches"] as const;

export type CelMethod = (typeof CEL_METHODS)[number];
