/** Yields a number in [0, 1). */
export type Random = () => number;

/** Chooses among items in proportion to their weights; all of weight 0 never wins. */
export function weightedChoice<T extends { readonly weight: number }>(
  items: readonly T[],
): (random: Random) => T {
  const bounds: number[] = [];
  let total = 0;
  for (const { weight } of items) bounds.push((total += weight));
  const only = items.length === 1 ? items[0] : undefined;
  return (random) => {
    if (only !== undefined) return only;
    const point = random() * total;
    // `point` is below `total`, the last bound, so that something is always found.
    return items[bounds.findIndex((bound) => point < bound)] as T;
  };
}
