import type { BooleanAlgebra } from "./boolean.ts";

/**
 * One field of a rule that is not empty, as a condition; or why it cannot be enforced here. What is not enforced must
 * never make a policy weaker: see `conjunction`.
 */
export type Field<T> =
  | { readonly kind: "condition"; readonly condition: T }
  | { readonly kind: "unenforceable"; readonly reason: string };

/** Any of `values`, and none of `notValues`; undefined when both are empty. */
export function field<T>(
  algebra: BooleanAlgebra<T>,
  values: readonly string[],
  notValues: readonly string[],
  each: (value: string) => T,
): Field<T> | undefined {
  if (values.length === 0 && notValues.length === 0) return undefined;
  const parts: T[] = [];
  if (values.length > 0) parts.push(algebra.any(values.map(each)));
  if (notValues.length > 0) parts.push(algebra.not(algebra.any(notValues.map(each))));
  return { kind: "condition", condition: algebra.all(parts) };
}

/** A field that cannot be enforced, if it says anything at all. */
export function unenforceable(
  reason: string,
  ...values: readonly (readonly string[])[]
): Field<never> | undefined {
  return values.every((list) => list.length === 0) ? undefined : { kind: "unenforceable", reason };
}

/** How a policy deals with what cannot be enforced: what allows is dropped, what denies is widened. */
export type Strictness = "drop" | "widen";

/**
 * All fields together. One that cannot be enforced makes the whole drop out (undefined) of a policy that allows, and is
 * left out of one that denies, which then denies more.
 */
export function conjunction<T>(
  algebra: BooleanAlgebra<T>,
  fields: readonly (Field<T> | undefined)[],
  strictness: Strictness,
  warn: (reason: string) => void,
): T | undefined {
  const conditions: T[] = [];
  for (const one of fields) {
    if (one === undefined) continue;
    if (one.kind === "condition") {
      conditions.push(one.condition);
      continue;
    }
    warn(one.reason);
    if (strictness === "drop") return undefined;
  }
  return algebra.all(conditions);
}
