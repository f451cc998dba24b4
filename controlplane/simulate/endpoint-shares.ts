/** One endpoint as the balancer weighs it. */
export interface Candidate {
  readonly priority: number;
  /** Endpoints of one locality of one priority have the same number. */
  readonly group: number;
  readonly groupWeight: number;
  readonly weight: number;
  readonly healthy: boolean;
}

export interface BalancerSettings {
  /** Percent of healthy endpoints below which health is not looked at; 0: never. */
  readonly panicThreshold: number;
  /** Percent; Envoy's default is 140. */
  readonly overprovisioning: number;
  /** Localities share by their weights instead of by their endpoints. */
  readonly localityWeighted: boolean;
}

/**
 * The share of calls that each endpoint gets, by Envoy's rules of priority levels (arch_overview "Priority levels",
 * "Panic threshold" and "Locality weighted load balancing"). All are 0 when nothing can take a call.
 */
export function endpointShares(
  candidates: readonly Candidate[],
  settings: BalancerSettings,
): readonly number[] {
  const levels = [...Map.groupBy(candidates, ({ priority }) => priority)].sort(([a], [b]) => a - b);
  const loads = priorityLoads(
    levels.map(([, level]) => level),
    settings,
  );
  const shares = new Map<Candidate, number>();
  for (const [index, [, level]] of levels.entries()) {
    const { load, panic } = loads[index] ?? { load: 0, panic: false };
    const usable = panic ? level : level.filter(({ healthy }) => healthy);
    for (const [candidate, share] of within(usable, level, settings)) shares.set(candidate, load * share);
  }
  return candidates.map((candidate) => shares.get(candidate) ?? 0);
}

interface Load {
  readonly load: number;
  readonly panic: boolean;
}

function priorityLoads(
  levels: readonly (readonly Candidate[])[],
  settings: BalancerSettings,
): readonly Load[] {
  const { panicThreshold, overprovisioning } = settings;
  const health = levels.map((level) => Math.min(100, Math.floor(overprovisioning * healthyPart(level))));
  const total = Math.min(100, sum(health));
  if (total === 0) {
    if (panicThreshold === 0) return levels.map(() => ({ load: 0, panic: false }));
    const all = sum(levels.map(({ length }) => length));
    return levels.map(({ length }) => ({ load: all === 0 ? 0 : length / all, panic: true }));
  }
  let left = 100;
  const loads = health.map((percent) => {
    const load = Math.min(left, Math.floor((percent * 100) / total));
    left -= load;
    return load;
  });
  // What rounding leaves goes to the first level that has anyone healthy.
  const first = health.findIndex((percent) => percent > 0);
  return levels.map((level, index) => ({
    load: ((loads[index] ?? 0) + (index === first ? left : 0)) / 100,
    panic: total < 100 && 100 * healthyPart(level) < panicThreshold,
  }));
}

function within(
  usable: readonly Candidate[],
  level: readonly Candidate[],
  { localityWeighted, overprovisioning }: BalancerSettings,
): readonly (readonly [Candidate, number])[] {
  const groups = [...Map.groupBy(usable, ({ group }) => group)].map(([group, members]) => {
    const all = level.filter((one) => one.group === group);
    const available = Math.min(1, (overprovisioning / 100) * (members.length / all.length));
    const weight = sum(members.map((one) => one.weight));
    return { members, weight, share: localityWeighted ? (members[0]?.groupWeight ?? 0) * available : weight };
  });
  const total = sum(groups.map(({ share }) => share));
  return groups.flatMap(({ members, weight, share }) =>
    members.map((one) => [one, total === 0 ? 0 : (share / total) * (one.weight / weight)] as const),
  );
}

function healthyPart(level: readonly Candidate[]): number {
  return level.length === 0 ? 0 : level.filter(({ healthy }) => healthy).length / level.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
