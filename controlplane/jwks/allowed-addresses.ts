import { BlockList, isIP, isIPv4 } from "node:net";

/**
 * Where no issuer of tokens is reached unless the configuration says so: this host, its link, private networks, and what
 * leads back into them. Cloud metadata services are at such addresses.
 */
const INSIDE: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
  "::/96",
  // Translation of IPv4 addresses, which may be any of the above.
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "2002::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

/** Whether an IP address may be connected to. */
export type AddressTest = (address: string) => boolean;

/** `allowed`: addresses and CIDR blocks that may be reached although they are inside. */
export function addressTest(allowed: readonly string[]): AddressTest {
  const inside = blockList(INSIDE);
  const exceptions = blockList(allowed);
  return (address) => {
    const plain = plainAddress(address);
    const family = isIPv4(plain) ? "ipv4" : "ipv6";
    return isIP(plain) !== 0 && (exceptions.check(plain, family) || !inside.check(plain, family));
  };
}

/** An IPv4 address in its IPv6-mapped form is that address. */
function plainAddress(address: string): string {
  const mapped = /^::ffff:(?:([\d.]+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address);
  if (mapped === null) return address;
  const [, dotted, high = "0", low = "0"] = mapped;
  if (dotted !== undefined) return dotted;
  const bytes = [high, low].flatMap((part) => {
    const word = Number.parseInt(part, 16);
    return [word >> 8, word & 255];
  });
  return bytes.join(".");
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIPv4(address) ? "ipv4" : "ipv6";
    list.addSubnet(address, Number(bits ?? (family === "ipv4" ? 32 : 128)), family);
  }
  return list;
}
