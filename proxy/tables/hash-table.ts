import type { BalancingPolicy } from "../model/cluster.ts";
import { xxHash64 } from "./xx-hash.ts";

/** A host with its part of all hosts of its priority; parts add up to 1. */
export interface Share<H> {
  readonly host: H;
  readonly key: string;
  readonly part: number;
}

/** The host that a hash leads to; the next one that `wanted` holds for, where the first is not wanted. */
export type HashTable<H> = (hash: bigint, wanted: (host: H) => boolean) => H;

type HashPolicy = Extract<BalancingPolicy, { kind: "RING_HASH" | "MAGLEV" }>;

/** Built by the first call: a table that nobody asks costs nothing. `shares` is not empty. */
export function lazyHashTable<H>(policy: HashPolicy, shares: readonly Share<H>[]): HashTable<H> {
  let table: HashTable<H> | undefined;
  return (hash, wanted) => {
    table ??= policy.kind === "RING_HASH" ? hashRing(policy, shares) : maglevTable(policy.tableSize, shares);
    return table(hash, wanted);
  };
}

/**
 * Ketama as Envoy builds it (`ring_hash_lb.cc`), so that both lead a request to the same host: each host has points on a
 * ring in proportion to its part, and a hash belongs to the first point at or after it.
 */
function hashRing<H>(
  { minimumSize, maximumSize }: Extract<HashPolicy, { kind: "RING_HASH" }>,
  shares: readonly Share<H>[],
): HashTable<H> {
  const smallest = Math.min(...shares.map(({ part }) => part));
  const scale = Math.min(Math.ceil(smallest * minimumSize) / smallest, maximumSize);
  const points: { readonly hash: bigint; readonly host: H }[] = [];
  let target = 0;
  for (const { host, key, part } of shares) {
    target += scale * part;
    for (let index = 0; points.length < target; index++) {
      points.push({ hash: xxHash64(`${key}_${index}`), host });
    }
  }
  points.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
  const hashes = BigUint64Array.from(points, ({ hash }) => hash);
  const hosts = points.map(({ host }) => host);
  return (hash, wanted) => nextWanted(hosts, firstAtOrAfter(hashes, hash) % hosts.length, wanted);
}

function firstAtOrAfter(sorted: BigUint64Array, wanted: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0n) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Maglev (Eisenbud et al., NSDI 2016, §3.4) with weights as Envoy has them (`maglev_lb.cc`): hosts take places of the
 * table in turn, each in an order of its own, and lighter ones skip turns.
 */
function maglevTable<H>(size: number, shares: readonly Share<H>[]): HashTable<H> {
  const heaviest = Math.max(...shares.map(({ part }) => part));
  const entries = shares.map(({ host, key, part }) => ({
    host,
    part,
    place: Number(xxHash64(key) % BigInt(size)),
    skip: Number(xxHash64(key, 1n) % BigInt(size - 1)) + 1,
    due: 0,
  }));
  const table = Array.from<H | undefined>({ length: size });
  for (let turn = 1, filled = 0; filled < size; turn++) {
    for (const entry of entries) {
      if (filled >= size) break;
      if (turn * entry.part < entry.due) continue;
      entry.due += heaviest;
      while (table[entry.place] !== undefined) entry.place = (entry.place + entry.skip) % size;
      table[entry.place] = entry.host;
      filled++;
    }
  }
  const hosts = table as H[];
  return (hash, wanted) => nextWanted(hosts, Number(hash % BigInt(size)), wanted);
}

/** From `start` on, around; `start` itself when nobody is wanted. */
function nextWanted<H>(hosts: readonly H[], start: number, wanted: (host: H) => boolean): H {
  for (let step = 0; step < hosts.length; step++) {
    const host = hosts[(start + step) % hosts.length] as H;
    if (wanted(host)) return host;
  }
  return hosts[start] as H;
}
