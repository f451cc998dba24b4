import type { PatchOperation } from "../../../mesh/model/envoy-filter.ts";

interface ListEdit<T> {
  readonly operation: PatchOperation;
  /** Undefined for REMOVE. */
  readonly value: T | undefined;
  /** Undefined: the patch chooses nothing. */
  readonly chosen: ((item: T) => boolean) | undefined;
}

/**
 * Adds, inserts, replaces and removes in a list where the order counts, as Istio does: inserted is at the first item that
 * is chosen, and nowhere when there is none; a patch that chooses nothing inserts at the ends and takes nothing away.
 */
export function editList<T>(items: readonly T[], { operation, value, chosen }: ListEdit<T>): T[] {
  if (operation === "REMOVE") return chosen === undefined ? [...items] : items.filter((one) => !chosen(one));
  if (value === undefined) return [...items];
  const at = chosen === undefined ? undefined : items.findIndex(chosen);
  switch (operation) {
    case "ADD":
      return [...items, value];
    case "INSERT_FIRST":
      return [value, ...items];
    case "INSERT_BEFORE":
      return at === -1 ? [...items] : items.toSpliced(at ?? 0, 0, value);
    case "INSERT_AFTER":
      return at === -1 ? [...items] : items.toSpliced(at === undefined ? items.length : at + 1, 0, value);
    case "REPLACE":
      return at === undefined || at === -1 ? [...items] : items.with(at, value);
    case "MERGE":
    case "MERGE_AND_REPLACE_LIST":
      return [...items];
    default:
      return operation satisfies never;
  }
}
