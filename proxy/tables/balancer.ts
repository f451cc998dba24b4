import type { Balancing, BalancingPolicy, Endpoint } from "../model/cluster.ts";
import { type HashTable, lazyHashTable, type Share } from "./hash-table.ts";
import { choosePriority, priorityLoads } from "./priority-loads.ts";
import { type Random, weightedChoice } from "./weighted.ts";

/** An endpoint with its running requests (or connections), which live on when the endpoint set changes. */
export interface Host {
  readonly key: string;
  endpoint: Endpoint;
  active: number;
}

/** A host as the balancer is to see it now. */
export interface Member<H extends Host> {
  readonly host: H;
  readonly weight: number;
  /** It keeps failing and is used in panic only. Endpoints that are not healthy are never used. */
  readonly ejected: boolean;
}

export interface Choice<H extends Host> {
  /** Leads requests with the same one to the same host, where the policy is to. */
  readonly hash?: bigint | undefined;
  /** Others are taken where there are some. */
  readonly avoid?: ReadonlySet<H> | undefined;
  readonly avoidPriorities?: ReadonlySet<number> | undefined;
}

/** Chooses a host; undefined when none can be used. */
export type Balancer<H extends Host> = (random: Random, choice?: Choice<H>) => H | undefined;

/** Like a balancer, over hosts of which there are some. */
type Picker<H extends Host> = (random: Random, choice: Choice<H>) => H;

interface Level<H extends Host> {
  readonly priority: number;
  /** Percent of its hosts that are healthy, as far as it matters: see `priorityLoads`. */
  readonly health: number;
  readonly pick: Picker<H> | undefined;
}

const NO_CHOICE = {};

/** Over the priorities by their health, in each over localities where they are weighed, and then over hosts. */
export function compileBalancer<H extends Host>(
  balancing: Omit<Balancing, "slowStart">,
  members: readonly Member<H>[],
): Balancer<H> {
  const byPriority = Map.groupBy(members, ({ host }) => host.endpoint.priority);
  const sorted = [...byPriority].sort(([a], [b]) => a - b);
  const loads = priorityLoads(
    sorted.map(([, level]) => ({ total: level.length, healthy: level.filter(isUsable).length })),
    balancing.panicPercent,
  );
  const levels = sorted.map(([priority, level], index): Level<H> => {
    const { health = 0, panic = false } = loads.levels[index] ?? {};
    const chosen = level.filter((member) => isUsable(member) || (panic && member.host.endpoint.healthy));
    const pick = chosen.length === 0 ? undefined : compileLevel(balancing, level, chosen, panic);
    return { priority, health, pick };
  });
  const hashes = balancing.policy.kind === "RING_HASH" || balancing.policy.kind === "MAGLEV";
  const only = levels.length === 1 ? levels[0]?.pick : undefined;
  if (only) return (random, choice = NO_CHOICE) => only(random, choice);
  return (random, choice = NO_CHOICE) => {
    const avoided = choice.avoidPriorities?.size
      ? avoiding(levels, choice.avoidPriorities, random)
      : undefined;
    const level =
      avoided ?? levels[choosePriority(loads.shares, drawPercent(random, hashes ? choice.hash : undefined))];
    return level?.pick?.(random, choice);
  };
}

function isUsable<H extends Host>({ host, ejected }: Member<H>): boolean {
  return host.endpoint.healthy && !ejected;
}

function drawPercent(random: Random, hash: bigint | undefined): number {
  return hash === undefined ? random() * 100 : Number(hash % 100n);
}

/** One of the priorities that are left, by their health; undefined when none is. */
function avoiding<H extends Host>(
  levels: readonly Level<H>[],
  avoided: ReadonlySet<number>,
  random: Random,
): Level<H> | undefined {
  const left = levels.filter(({ priority, pick, health }) => !avoided.has(priority) && pick && health > 0);
  if (left.length === 0) return undefined;
  return weightedChoice(left.map((level) => ({ level, weight: level.health })))(random).level;
}

/** `all` are the hosts of a priority, `chosen` those of them that may be used. In panic localities do not count. */
function compileLevel<H extends Host>(
  { policy, byLocality }: Omit<Balancing, "slowStart">,
  all: readonly Member<H>[],
  chosen: readonly Member<H>[],
  panic: boolean,
): Picker<H> {
  if (policy.kind === "RING_HASH" || policy.kind === "MAGLEV") {
    return hashed(lazyHashTable(policy, sharesOf(chosen, byLocality)));
  }
  if (!byLocality || panic) return compileHosts(policy, chosen);
  const totals = Map.groupBy(all, localityOf);
  const localities = [...Map.groupBy(chosen, localityOf)].flatMap(([name, hosts]) => {
    const available = Math.min(1, (OVERPROVISIONING * hosts.length) / (totals.get(name)?.length ?? 1));
    const weight = (hosts[0]?.host.endpoint.locality.weight ?? 0) * available;
    return weight > 0 ? [{ pick: compileHosts(policy, hosts), weight }] : [];
  });
  if (localities.length === 0) return compileHosts(policy, chosen);
  const draw = weightedChoice(localities);
  return (random, choice) => draw(random).pick(random, choice);
}

/** A locality takes its share while 1/1.4 of it is healthy (Envoy). */
const OVERPROVISIONING = 1.4;

function localityOf<H extends Host>({ host }: Member<H>): string {
  return host.endpoint.locality.name;
}

function hashed<H extends Host>(table: HashTable<H>): Picker<H> {
  const any = (): boolean => true;
  return (random, { hash, avoid }) => {
    // Without a hash it is chance that leads; 53 bits of it have to do.
    const point = hash ?? BigInt.asUintN(64, BigInt(Math.floor(random() * 2 ** 53)) << 11n);
    return table(point, avoid?.size ? (host) => !avoid.has(host) : any);
  };
}

/** By weight, or by weight inside of localities that weigh what they are told to. Sorted: order means nothing. */
function sharesOf<H extends Host>(members: readonly Member<H>[], byLocality: boolean): Share<H>[] {
  const weigh = byLocality && members.some(({ host }) => host.endpoint.locality.weight > 0);
  const groups = [...(weigh ? Map.groupBy(members, localityOf).values() : [members])];
  const shares = groups.flatMap((group) => {
    const factor = weigh ? (group[0]?.host.endpoint.locality.weight ?? 0) / totalWeight(group) : 1;
    return group.map(({ host, weight }) => ({ host, key: host.key, part: weight * factor }));
  });
  const total = shares.reduce((sum, { part }) => sum + part, 0);
  return shares
    .filter(({ part }) => part > 0)
    .map((share) => ({ ...share, part: share.part / total }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function totalWeight<H extends Host>(members: readonly Member<H>[]): number {
  return members.reduce((sum, { weight }) => sum + weight, 0);
}

function compileHosts<H extends Host>(
  policy: Exclude<BalancingPolicy, { kind: "RING_HASH" | "MAGLEV" }>,
  members: readonly Member<H>[],
): Picker<H> {
  const pick = compilePolicy(policy.kind, members);
  return (random, { avoid }) => {
    const first = pick(random);
    if (!avoid?.has(first)) return first;
    const others = members.filter(({ host }) => !avoid.has(host));
    return others[Math.floor(random() * others.length)]?.host ?? first;
  };
}

function compilePolicy<H extends Host>(
  policy: "LEAST_REQUEST" | "ROUND_ROBIN" | "RANDOM",
  members: readonly Member<H>[],
): (random: Random) => H {
  const draw = weightedChoice(members);
  switch (policy) {
    case "RANDOM":
      return (random) => draw(random).host;
    case "ROUND_ROBIN":
      return smoothRoundRobin(members);
    // Power of two choices, drawn by weight; the less loaded (for its weight) wins, and of two idle ones the first.
    case "LEAST_REQUEST":
      return (random) => {
        const a = draw(random);
        const b = draw(random);
        return load(b) < load(a) ? b.host : a.host;
      };
    default:
      return policy satisfies never;
  }
}

function load<H extends Host>({ host, weight }: Member<H>): number {
  return host.active / weight;
}

/** Each host comes up in proportion to its weight and as evenly spread as can be. */
function smoothRoundRobin<H extends Host>(members: readonly Member<H>[]): () => H {
  const credits = members.map(({ host, weight }) => ({ host, weight, credit: 0 }));
  const total = totalWeight(members);
  return () => {
    let best: { host: H; credit: number } | undefined;
    for (const entry of credits) {
      entry.credit += entry.weight;
      if (best === undefined || entry.credit > best.credit) best = entry;
    }
    // `members` is never empty here.
    const chosen = best as { host: H; credit: number };
    chosen.credit -= total;
    return chosen.host;
  };
}

/** Also the name by which hosts are hashed, as in Envoy. */
export function hostKey({ address, port }: Pick<Endpoint, "address" | "port">): string {
  if (port === 0) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
