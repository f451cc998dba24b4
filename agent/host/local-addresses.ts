import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

export interface LocalAddress {
  readonly address: string;
  readonly family: 4 | 6;
  readonly internal: boolean;
}

/**
 * The addresses of this host's interfaces. Node asks the kernel by netlink, which a unit without that address family may
 * not: then they are read from /proc.
 */
export function localAddresses(): readonly LocalAddress[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).map(({ address, family, internal }) => ({
        address,
        family: family === "IPv6" ? 6 : 4,
        internal,
      })),
    );
  } catch {
    return [
      ...parseFibTrie(readText("/proc/self/net/fib_trie")),
      ...parseIfInet6(readText("/proc/self/net/if_inet6")),
    ];
  }
}

/** Tells of addresses whether they are this host's as it is now: loopback and wildcards are. */
export function hostAddressTest(): (address: string) => boolean {
  const own = new Set(localAddresses().map(({ address }) => address));
  return (address) =>
    own.has(address) || address.startsWith("127.") || ["::1", "0.0.0.0", "::"].includes(address);
}

/** Whether the kernel has IPv6 at all: without, its wildcard cannot be bound either. */
export function hasIpv6(): boolean {
  return existsSync("/proc/self/net/if_inet6");
}

/** Addresses that are `host LOCAL` in a text in the form of /proc/net/fib_trie. */
export function parseFibTrie(text: string): readonly LocalAddress[] {
  const found = [...text.matchAll(/\|-- (\d+(?:\.\d+){3})\n\s+\/32 host LOCAL/g)].map(
    ([, address = ""]) => address,
  );
  return [...new Set(found)].map((address) => ({ address, family: 4, internal: address.startsWith("127.") }));
}

/** Those of a text in the form of /proc/net/if_inet6, in the shortest spelling (RFC 5952). */
export function parseIfInet6(text: string): readonly LocalAddress[] {
  return [...text.matchAll(/^([0-9a-f]{32}) /gm)].map(([, hex = ""]) => {
    const written = (hex.match(/.{4}/g) ?? []).join(":");
    const address = new URL(`http://[${written}]`).hostname.slice(1, -1);
    return { address, family: 6, internal: address === "::1" };
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
