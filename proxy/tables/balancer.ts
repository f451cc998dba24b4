import type { Cluster, Endpoint } from "../model/cluster.ts";
import { type Random, weightedChoice } from "./weighted.ts";

/** An endpoint with its running requests (or connections), which live on when the endpoint set changes. */
export interface Host {
  readonly key: string;
  endpoint: Endpoint;
  active: number;
}

/** Chooses a host, other than those in `avoid` where there is a choice; undefined when none is healthy. */
export type Balancer<H extends Host> = (random: Random, avoid?: ReadonlySet<H>) => H | undefined;

/** Over the healthy hosts of the best priority that has some. */
export function compileBalancer<H extends Host>(policy: Cluster["policy"], hosts: readonly H[]): Balancer<H> {
  const healthy = hosts.filter(({ endpoint }) => endpoint.healthy);
  const best = Math.min(...healthy.map(({ endpoint }) => endpoint.priority));
  const level = healthy.filter(({ endpoint }) => endpoint.priority === best);
  if (level.length === 0) return () => undefined;
  const pick = compilePolicy(policy, level);
  return (random, avoid) => {
    const first = pick(random);
    if (!avoid?.has(first)) return first;
    const others = level.filter((host) => !avoid.has(host));
    return others.length === 0 ? first : others[Math.floor(random() * others.length)];
  };
}

function compilePolicy<H extends Host>(
  policy: Cluster["policy"],
  hosts: readonly H[],
): (random: Random) => H {
  const draw = weightedChoice(hosts.map((host) => ({ host, weight: host.endpoint.weight })));
  switch (policy) {
    case "RANDOM":
      return (random) => draw(random).host;
    case "ROUND_ROBIN":
      return smoothRoundRobin(hosts);
    // Power of two choices, drawn by weight, the less loaded (for its weight) wins.
    case "LEAST_REQUEST":
      return (random) => {
        const a = draw(random).host;
        const b = draw(random).host;
        return load(b) < load(a) ? b : a;
      };
    default:
      return policy satisfies never;
  }
}

function load({ active, endpoint }: Host): number {
  return (active + 1) / endpoint.weight;
}

/** Each host comes up in proportion to its weight and as evenly spread as can be. */
function smoothRoundRobin<H extends Host>(hosts: readonly H[]): () => H {
  const credits = hosts.map((host) => ({ host, credit: 0 }));
  const total = hosts.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
  return () => {
    let best: { host: H; credit: number } | undefined;
    for (const entry of credits) {
      entry.credit += entry.host.endpoint.weight;
      if (best === undefined || entry.credit > best.credit) best = entry;
    }
    // `hosts` is never empty here.
    const chosen = best as { host: H; credit: number };
    chosen.credit -= total;
    return chosen.host;
  };
}

export function hostKey({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
