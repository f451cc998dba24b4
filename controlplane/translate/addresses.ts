import { Address, CidrRange } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";

const UNIX = "unix://";

/** An IP address (or, where Envoy resolves names, a host name) with its port, or a `unix://` path. */
export function address(host: string, port: number): Address {
  return host.startsWith(UNIX)
    ? Address.fromPartial({ pipe: { path: host.slice(UNIX.length) } })
    : Address.fromPartial({ socketAddress: { address: host, portValue: port } });
}

/** Where captured connections come in, or are handed on to: any address of this host, or of any. */
export function capturedAddress(port: number, ipv6: boolean): Address {
  if (!ipv6) return address("0.0.0.0", port);
  return Address.fromPartial({ socketAddress: { address: "::", portValue: port, ipv4Compat: true } });
}

export function isUnixAddress(host: string): boolean {
  return host.startsWith(UNIX);
}

/** `10.0.0.0/8`, or an address alone, which means just that one. */
export function cidrRange(block: string): CidrRange {
  const [addressPrefix = "", length] = block.split("/");
  const full = addressPrefix.includes(":") ? 128 : 32;
  return CidrRange.fromPartial({ addressPrefix, prefixLen: length === undefined ? full : Number(length) });
}
