import type { FilterChain, FilterChainMatch } from "../model/listener.ts";
import { compileCidr } from "./matchers.ts";

/** What a connection shows before a chain is chosen for it. */
export interface ConnectionHello {
  readonly localAddress: string;
  readonly localPort: number;
  readonly transport: "tls" | "raw_buffer";
  /** Lower case; empty when there was none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

/**
 * Chooses the filter chain as Envoy does: destination port, address, server name, transport, ALPN are looked at in
 * that order, and in each the more specific chain wins over one that does not ask.
 */
export function compileChainMatch<C extends Pick<FilterChain, "match">>(
  chains: readonly C[],
  fallback: C | undefined,
): (hello: ConnectionHello) => C | undefined {
  const compiled = chains.map((chain) => ({ chain, rank: compileRank(chain.match) }));
  return (hello) => {
    let best: { chain: C; rank: readonly number[] } | undefined;
    for (const { chain, rank } of compiled) {
      const ranked = rank(hello);
      if (ranked !== undefined && (best === undefined || isHigher(ranked, best.rank)))
        best = { chain, rank: ranked };
    }
    return best?.chain ?? fallback;
  };
}

/** Specificity in each dimension, 0 where the chain does not ask; undefined when the chain does not match. */
function compileRank(match: FilterChainMatch): (hello: ConnectionHello) => readonly number[] | undefined {
  const ranges = match.prefixRanges.map((range) => ({ length: range.length, contains: compileCidr(range) }));
  return (hello) => {
    const rank = [
      match.destinationPort === undefined ? 0 : match.destinationPort === hello.localPort ? 1 : -1,
      ranges.length === 0
        ? 0
        : Math.max(
            -1,
            ...ranges.map(({ length, contains }) => (contains(hello.localAddress) ? length + 1 : -1)),
          ),
      serverNameRank(match.serverNames, hello.serverName),
      match.transport === undefined ? 0 : match.transport === hello.transport ? 1 : -1,
      match.alpn.length === 0 ? 0 : match.alpn.some((name) => hello.alpn.includes(name)) ? 1 : -1,
    ];
    return rank.includes(-1) ? undefined : rank;
  };
}

function serverNameRank(wanted: readonly string[], serverName: string): number {
  if (wanted.length === 0) return 0;
  const ranks = wanted.map((name) => {
    if (name === serverName) return 1000;
    return name.startsWith("*.") && serverName.endsWith(name.slice(1)) ? name.length : -1;
  });
  return Math.max(...ranks);
}

function isHigher(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index >= 0 && (a[index] ?? 0) > (b[index] ?? 0);
}
