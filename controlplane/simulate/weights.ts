import type { Target } from "./verdict.ts";

type Weighted<T> = Omit<T, "share"> & { readonly weight: number };

/** Targets with their shares; those of weight 0 get nothing. A `pick` in [0,1) leaves the one that it falls on. */
export function chooseTargets(
  weighted: readonly Weighted<Target>[],
  pick: number | undefined,
): readonly Target[] {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  const targets = weighted
    .filter(({ weight }) => weight > 0)
    .map(({ weight, ...target }) => ({ ...target, share: weight / total }));
  if (pick === undefined) return targets;
  let from = 0;
  const chosen = targets.find(({ share }) => {
    from += share;
    return pick < from;
  });
  return [chosen ?? targets.at(-1)].flatMap((one) => (one === undefined ? [] : [one]));
}
