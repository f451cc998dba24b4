import { normalizeHost } from "./hosts.ts";

/** Finds the host of a list that covers another one, in time that does not grow with the list. */
export interface HostCoverage {
  /** Its index, or undefined; never `except`. */
  readonly coverOf: (host: string, except?: number) => number | undefined;
}

/** Coverage is that of `hostMatches`. */
export function hostCoverage(hosts: readonly string[]): HostCoverage {
  const names = new Map<string, number>();
  /** What follows the star. */
  const tails = new Map<string, number>();
  for (const [index, host] of hosts.entries()) {
    const written = normalizeHost(host);
    const [map, key] = written.startsWith("*")
      ? ([tails, written.slice(1)] as const)
      : ([names, written] as const);
    if (!map.has(key)) map.set(key, index);
  }
  const lengths = new Set([...tails.keys()].map((tail) => tail.length));
  return {
    coverOf: (host, except) => {
      const written = normalizeHost(host);
      const wild = written.startsWith("*");
      const rest = wild ? written.slice(1) : written;
      for (const length of lengths) {
        if (wild ? rest.length < length : rest.length <= length) continue;
        const cover = tails.get(rest.slice(rest.length - length));
        if (cover !== undefined && cover !== except) return cover;
      }
      const same = wild ? undefined : names.get(written);
      return same === except ? undefined : same;
    },
  };
}
