import { BlockList, isIP, isIPv4 } from "node:net";

/** True for an address with the length of a prefix: `10.1.0.0/16`, `fd00::/8`. */
export function isCidr(text: string): boolean {
  const [address = "", prefix = "", ...rest] = text.split("/");
  if (rest.length > 0 || isIP(address) === 0 || !/^\d{1,3}$/.test(prefix)) return false;
  return Number(prefix) <= (isIPv4(address) ? 32 : 128);
}

/** Whether an address lies in one of the ranges. An IPv4 address in IPv6 clothes (`::ffff:10.1.2.3`) is the IPv4 one. */
export function addressIn(address: string, cidrs: readonly string[]): boolean {
  if (isIP(address) === 0) return false;
  const ranges = new BlockList();
  for (const cidr of cidrs.filter(isCidr)) {
    const [network = "", prefix] = cidr.split("/");
    ranges.addSubnet(network, Number(prefix), isIPv4(network) ? "ipv4" : "ipv6");
  }
  return ranges.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}
