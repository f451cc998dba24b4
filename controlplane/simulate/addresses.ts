import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { Address, CidrRange } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";

/** IPv4 in its IPv6-mapped form, as a dual-stack socket has it, is the same address. */
function plainAddress(address: string): string {
  const lower = address.toLowerCase();
  return lower.startsWith("::ffff:") && isIPv4(lower.slice(7)) ? lower.slice(7) : lower;
}

export function sameAddress(a: string, b: string): boolean {
  const [one, other] = [plainAddress(a), plainAddress(b)];
  if (one === other) return true;
  if (!isIPv6(one) || !isIPv6(other)) return false;
  const list = new BlockList();
  list.addAddress(one, "ipv6");
  return list.check(other, "ipv6");
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain.startsWith("127.") || sameAddress(plain, "::1");
}

/** The wildcard that stands for all addresses of the same family. */
export function wildcardOf(address: string): string {
  return isIPv6(plainAddress(address)) ? "::" : "0.0.0.0";
}

/** Length of the longest range that has the address; undefined when none has it. */
export function longestRange(ranges: readonly CidrRange[], address: string): number | undefined {
  const lengths = ranges.filter((range) => contains(range, address)).map(({ prefixLen }) => prefixLen ?? 0);
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}

function contains({ addressPrefix, prefixLen }: CidrRange, address: string): boolean {
  const plain = plainAddress(address);
  const family = isIPv6(addressPrefix) ? "ipv6" : "ipv4";
  if ((isIPv6(plain) ? "ipv6" : "ipv4") !== family) return false;
  const block = new BlockList();
  block.addSubnet(addressPrefix, prefixLen ?? 0, family);
  return block.check(plain, family);
}

/** `10.0.0.1:80`, `[::1]:80`, a pipe's path or an internal listener's name. */
export function addressText(address: Address | undefined): string {
  if (address?.socketAddress !== undefined) {
    return hostPort(address.socketAddress.address, address.socketAddress.portValue ?? 0);
  }
  return address?.pipe?.path ?? address?.envoyInternalAddress?.serverListenerName ?? "";
}

export function hostPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
