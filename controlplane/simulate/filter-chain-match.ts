import type { CidrRange } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import type { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import {
  type FilterChain,
  FilterChainMatch,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { isLoopback, longestRange, sameAddress } from "./addresses.ts";
import type { Call } from "./call.ts";
import type { Detected } from "./listener-filters.ts";

export interface ChosenChain {
  readonly chain: FilterChain;
  readonly index: number | "default";
  readonly why: string;
}

interface Connection {
  readonly call: Call;
  readonly detected: Detected;
}

/** One criterion: how specifically a chain takes the connection; 0 when it does not ask, undefined when it refuses. */
interface Criterion {
  /** What the chosen chains asked for, for the explanation. */
  readonly text: (connection: Connection) => string;
  readonly rank: (match: FilterChainMatch, connection: Connection) => number | undefined;
}

/** More than any server name is long: an exact name wins over every wildcard. */
const EXACT_NAME = 1_000;

/** In Envoy's order (`config.listener.v3.FilterChainMatch`). */
const CRITERIA: readonly Criterion[] = [
  {
    text: ({ call }) => `destination port ${call.port}`,
    rank: ({ destinationPort }, { call }) => asked(destinationPort, destinationPort === call.port),
  },
  {
    text: ({ call }) => `destination address ${call.address}`,
    rank: ({ prefixRanges }, { call }) => rangeRank(prefixRanges, call.address),
  },
  {
    text: ({ detected }) => `server name ${detected.serverName}`,
    rank: ({ serverNames }, { detected }) => serverNameRank(serverNames, detected.serverName),
  },
  {
    text: ({ detected }) => `transport ${detected.transport}`,
    rank: ({ transportProtocol }, { detected }) =>
      asked(transportProtocol || undefined, transportProtocol === detected.transport),
  },
  {
    text: ({ detected }) => `application protocol of ${detected.alpn.join(", ")}`,
    rank: ({ applicationProtocols }, { detected }) => alpnRank(applicationProtocols, detected.alpn),
  },
  {
    text: ({ call }) => `direct source address ${call.source.address}`,
    rank: ({ directSourcePrefixRanges }, { call }) =>
      rangeRank(directSourcePrefixRanges, call.source.address),
  },
  {
    text: ({ call }) => (isLocal(call) ? "a source on the same host" : "a source on another host"),
    rank: ({ sourceType }, { call }) => {
      if (sourceType === SourceType.ANY) return 0;
      return (sourceType === SourceType.SAME_IP_OR_LOOPBACK) === isLocal(call) ? 1 : undefined;
    },
  },
  {
    text: ({ call }) => `source address ${call.source.address}`,
    rank: ({ sourcePrefixRanges }, { call }) => rangeRank(sourcePrefixRanges, call.source.address),
  },
  {
    text: ({ call }) => `source port ${call.source.port}`,
    rank: ({ sourcePorts }, { call }) =>
      asked(
        sourcePorts.length === 0 ? undefined : sourcePorts,
        call.source.port !== undefined && sourcePorts.includes(call.source.port),
      ),
  },
];

/**
 * Chooses the filter chain as Envoy does: criterion by criterion only the chains stay that ask for it most specifically.
 * There is no way back: when a later criterion refuses all that stayed, a less specific chain does not get its turn and
 * only the default chain is left.
 */
export function chooseFilterChain(
  listener: Listener,
  call: Call,
  detected: Detected,
): ChosenChain | undefined {
  const connection: Connection = { call, detected };
  let left = listener.filterChains.map((chain, index) => ({ chain, index }));
  const reasons: string[] = [];
  for (const { rank, text } of CRITERIA) {
    const ranked = left.flatMap((one) => {
      const value = rank(one.chain.filterChainMatch ?? NO_MATCH, connection);
      return value === undefined ? [] : [{ one, value }];
    });
    const best = Math.max(...ranked.map(({ value }) => value));
    if (best > 0) reasons.push(text(connection));
    left = ranked.filter(({ value }) => value === best).map(({ one }) => one);
  }
  const [first] = left;
  if (first !== undefined) {
    const why = listener.filterChains.length === 1 ? "the only one" : "asks for nothing";
    return { ...first, why: reasons.length > 0 ? reasons.join(", ") : why };
  }
  const { defaultFilterChain } = listener;
  return defaultFilterChain && { chain: defaultFilterChain, index: "default", why: "no other matches" };
}

const NO_MATCH = FilterChainMatch.fromPartial({});

function asked(wanted: unknown, meets: boolean): number | undefined {
  if (wanted === undefined) return 0;
  return meets ? 1 : undefined;
}

/** A chain without ranges is as specific as one with a range of length 0. */
function rangeRank(ranges: readonly CidrRange[], address: string): number | undefined {
  return ranges.length === 0 ? 0 : longestRange(ranges, address);
}

/** A wildcard `*.example.com` takes every name below it, at any depth, but not `example.com`. */
function serverNameRank(wanted: readonly string[], serverName: string): number | undefined {
  if (wanted.length === 0) return 0;
  const ranks = wanted.flatMap((name) => {
    if (name === serverName && name !== "") return [EXACT_NAME];
    return name.startsWith("*.") && serverName.slice(1).endsWith(name.slice(1)) ? [name.length] : [];
  });
  return ranks.length === 0 ? undefined : Math.max(...ranks);
}

/** The first of the client's protocols that any chain names decides, so an earlier one ranks higher. */
function alpnRank(wanted: readonly string[], offered: readonly string[]): number | undefined {
  if (wanted.length === 0) return 0;
  const first = offered.findIndex((name) => wanted.includes(name));
  return first < 0 ? undefined : offered.length - first;
}

function isLocal({ address, source }: Call): boolean {
  return isLoopback(source.address) || sameAddress(address, source.address);
}
