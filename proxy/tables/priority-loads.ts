/** How many hosts a priority has, and how many of them can be used. */
export interface LevelHealth {
  readonly total: number;
  readonly healthy: number;
}

export interface PriorityLoads {
  readonly levels: readonly {
    /** Percent, overprovisioned: 100 while 1/1.4 of the hosts are healthy. */
    readonly health: number;
    /** So few are healthy that the ejected ones are used too. */
    readonly panic: boolean;
  }[];
  /** Percent of the requests that each priority gets; together 100. */
  readonly shares: readonly number[];
}

/** Envoy's overprovisioning factor, percent. */
const OVERPROVISIONING = 140;

/**
 * Envoy's rule ("Priority levels", "Panic threshold"): a priority takes what its health allows, the next one the rest.
 * While all together can take everything nobody panics.
 */
export function priorityLoads(levels: readonly LevelHealth[], panicPercent: number): PriorityLoads {
  const healths = levels.map(({ total, healthy }) =>
    total === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING * healthy) / total)),
  );
  const available = Math.min(
    100,
    healths.reduce((sum, health) => sum + health, 0),
  );
  const panics = levels.map(
    ({ total, healthy }) => available < 100 && total > 0 && (100 * healthy) / total < panicPercent,
  );
  return {
    levels: healths.map((health, index) => ({ health, panic: panics[index] ?? false })),
    shares:
      panics.length > 0 && panics.every((panic) => panic) ? byHosts(levels) : byHealth(healths, available),
  };
}

function byHealth(healths: readonly number[], available: number): number[] {
  if (available === 0) return healths.map((_, index) => (index === 0 ? 100 : 0));
  let left = 100;
  const shares = healths.map((health) => {
    const share = Math.min(left, Math.floor((health * 100) / available));
    left -= share;
    return share;
  });
  // What rounding has lost goes to the first that can take something.
  const first = healths.findIndex((health) => health > 0);
  return shares.map((share, index) => (index === first ? share + left : share));
}

/** When all panic each priority gets what its hosts are of all hosts. */
function byHosts(levels: readonly LevelHealth[]): number[] {
  const all = levels.reduce((sum, { total }) => sum + total, 0);
  return levels.map(({ total }) => (total / all) * 100);
}

/** The index of the priority for a point in [0, 100). */
export function choosePriority(shares: readonly number[], point: number): number {
  let sum = 0;
  const index = shares.findIndex((share) => point < (sum += share));
  return Math.max(0, index);
}
