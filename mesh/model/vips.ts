/** Istio's range for addresses that a service gets by itself. */
const AUTO_VIP_PREFIX = "240.240.";

export function isAutoVip(address: string): boolean {
  return address.startsWith(AUTO_VIP_PREFIX);
}

/** The same address on loopback, which any process may bind (DESIGN D5); undefined for one that somebody else gave. */
export function loopbackVip(address: string): string | undefined {
  return isAutoVip(address) ? `127.${address.slice("240.".length)}` : undefined;
}
