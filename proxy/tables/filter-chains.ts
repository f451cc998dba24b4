import type { FilterChain, FilterChainMatch } from "../model/listener.ts";
import type { Cidr } from "../model/match.ts";
import { compileCidr } from "./matchers.ts";

/** What a connection shows before a chain is chosen for it. */
export interface ConnectionHello {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** For a captured one, of where it was going. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly captured: boolean;
  readonly transport: "tls" | "raw_buffer";
  /** Lower case; empty when there was none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

/** How specific a chain is in one respect, 0 where it does not ask; undefined when it asks for something else. */
type Rank = (hello: ConnectionHello) => number | undefined;

/**
 * Chooses the filter chain as Envoy does: destination port, address, server name, transport, ALPN and source address are
 * looked at in that order. In each respect the most specific chains stay and the others are out, with no way back.
 */
export function compileChainMatch<C extends Pick<FilterChain, "match">>(
  chains: readonly C[],
  fallback: C | undefined,
): (hello: ConnectionHello) => C | undefined {
  const compiled = chains.map((chain) => ({ chain, ranks: compileRanks(chain.match) }));
  const respects = compiled[0]?.ranks.length ?? 0;
  return (hello) => {
    let left = compiled;
    for (let respect = 0; respect < respects && left.length > 0; respect++) {
      let best = 0;
      const ranked = left.flatMap((one) => {
        const rank = one.ranks[respect]?.(hello);
        if (rank === undefined) return [];
        best = Math.max(best, rank);
        return [{ one, rank }];
      });
      left = ranked.filter(({ rank }) => rank === best).map(({ one }) => one);
    }
    return left[0]?.chain ?? fallback;
  };
}

function compileRanks(match: FilterChainMatch): readonly Rank[] {
  const { destinationPort, serverNames, transport, alpn } = match;
  return [
    ({ localPort }) => askedFor(destinationPort !== undefined, destinationPort === localPort),
    rangeRank(match.prefixRanges, ({ localAddress }) => localAddress),
    ({ serverName }) => serverNameRank(serverNames, serverName),
    (hello) => askedFor(transport !== undefined, transport === hello.transport),
    (hello) =>
      askedFor(
        alpn.length > 0,
        alpn.some((name) => hello.alpn.includes(name)),
      ),
    rangeRank(match.sourceRanges, ({ remoteAddress }) => remoteAddress),
  ];
}

function askedFor(asks: boolean, matches: boolean): number | undefined {
  if (!asks) return 0;
  return matches ? 1 : undefined;
}

function rangeRank(cidrs: readonly Cidr[], addressOf: (hello: ConnectionHello) => string): Rank {
  const ranges = cidrs.map((cidr) => ({ length: cidr.length, contains: compileCidr(cidr) }));
  return (hello) => {
    if (ranges.length === 0) return 0;
    const address = addressOf(hello);
    const longest = Math.max(-1, ...ranges.map(({ length, contains }) => (contains(address) ? length : -1)));
    return longest < 0 ? undefined : longest + 1;
  };
}

function serverNameRank(wanted: readonly string[], serverName: string): number | undefined {
  if (wanted.length === 0) return 0;
  const ranks = wanted.map((name) => {
    if (name === serverName) return 1000;
    return name.startsWith("*.") && serverName.endsWith(name.slice(1)) ? name.length : 0;
  });
  return Math.max(...ranks) || undefined;
}
