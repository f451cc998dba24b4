/** Istio's range for addresses that a service gets by itself. */
const AUTO_VIP_PREFIX = "240.240.";

export const AUTO_VIP_RANGE = "240.240.0.0/16";

export function isAutoVip(address: string): boolean {
  return address.startsWith(AUTO_VIP_PREFIX);
}

/** Where a proxy listens for a service's address; undefined where it cannot: somebody else gave the address. */
export function boundVip(address: string, vips: "loopback" | "routed"): string | undefined {
  if (!isAutoVip(address)) return undefined;
  return vips === "routed" ? address : loopbackVip(address);
}

/** The same address on loopback, which any process may bind (DESIGN D5); undefined for one that somebody else gave. */
export function loopbackVip(address: string): string | undefined {
  return isAutoVip(address) ? `127.${address.slice("240.".length)}` : undefined;
}
