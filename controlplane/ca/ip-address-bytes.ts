import { isIPv4, isIPv6 } from "node:net";
import { MeshError } from "../../mesh/errors.ts";

/** An IP address in network byte order, as a certificate has it (RFC 5280 §4.2.1.6). Throws `ca.refused`. */
export function ipAddressBytes(address: string): Buffer {
  if (isIPv4(address)) return ipv4(address);
  if (isIPv6(address) && !address.includes("%")) return ipv6(address);
  throw new MeshError("ca.refused", `certify the address ${JSON.stringify(address)}`, {
    hint: "an IPv4 or IPv6 address without a zone is needed",
  });
}

function ipv4(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function ipv6(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const left = groups(head);
  const right = tail === undefined ? Buffer.alloc(0) : groups(tail);
  return Buffer.concat([left, Buffer.alloc(16 - left.length - right.length), right]);
}

function groups(text: string): Buffer {
  if (text === "") return Buffer.alloc(0);
  return Buffer.concat(
    text.split(":").map((group) => {
      if (group.includes(".")) return ipv4(group);
      return Buffer.from(group.padStart(4, "0"), "hex");
    }),
  );
}
