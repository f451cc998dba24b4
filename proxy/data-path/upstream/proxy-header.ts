import { isIP, isIPv4 } from "node:net";
import type { ConnectionFacts } from "../../tables/facts.ts";

/** Who called, and where. */
export type CallEnds = Pick<ConnectionFacts, "remoteAddress" | "remotePort" | "localAddress" | "localPort">;

const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const V2_PROXY = 0x21;
const V2_TCP4 = 0x11;
const V2_TCP6 = 0x21;

/** The PROXY protocol's header for a connection (haproxy, "The PROXY protocol", versions 1 and 2). */
export function proxyHeader(version: "v1" | "v2", ends: CallEnds): Buffer {
  return version === "v1" ? Buffer.from(textHeader(ends)) : binaryHeader(ends);
}

function textHeader({ remoteAddress, remotePort, localAddress, localPort }: CallEnds): string {
  if (isIP(remoteAddress) !== isIP(localAddress)) return "PROXY UNKNOWN\r\n";
  const family = isIPv4(remoteAddress) ? "TCP4" : "TCP6";
  return `PROXY ${family} ${remoteAddress} ${localAddress} ${remotePort} ${localPort}\r\n`;
}

function binaryHeader({ remoteAddress, remotePort, localAddress, localPort }: CallEnds): Buffer {
  const v4 = isIPv4(remoteAddress) && isIPv4(localAddress);
  const addresses = [remoteAddress, localAddress].map((address) => (v4 ? ipv4(address) : ipv6(address)));
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(remotePort, 0);
  ports.writeUInt16BE(localPort, 2);
  const rest = Buffer.concat([...addresses, ports]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  return Buffer.concat([V2_SIGNATURE, Buffer.from([V2_PROXY, v4 ? V2_TCP4 : V2_TCP6]), length, rest]);
}

function ipv4(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** Sixteen bytes; IPv4 in its mapped form. */
function ipv6(address: string): Buffer {
  if (isIPv4(address)) return Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), ipv4(address)]);
  const tail = /:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  const plain = tail === undefined ? address : `${address.slice(0, -tail.length)}${groupsOf(ipv4(tail))}`;
  const [head = "", rest] = plain.replace(/%.*$/, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = rest === undefined || rest === "" ? [] : rest.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
  const bytes = Buffer.alloc(16);
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(group, 2 * index);
  return bytes;
}

function groupsOf(bytes: Buffer): string {
  return `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
}
