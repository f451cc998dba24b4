import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { localAddresses } from "./local-addresses.ts";

/**
 * The address that this host has towards the first of the servers (`host:port`) whose name is known, as the kernel
 * routes it; nothing is sent. Without such a route: the first address that is not loopback, else loopback.
 */
export async function addressTowards(servers: readonly string[]): Promise<string> {
  for (const server of servers) {
    const address = await routedFrom(server).catch(() => undefined);
    if (address !== undefined) return address;
  }
  return localAddresses().find(({ internal, family }) => !internal && family === 4)?.address ?? "127.0.0.1";
}

/** Documentation's own addresses (RFC 5737): routed like any far one, and nobody's. */
const FAR_AWAY = "192.0.2.1:9";

/** The address that this host has towards the rest of the world. */
export async function routedAddress(): Promise<string> {
  return await addressTowards([FAR_AWAY]);
}

/** The address that this host has towards an address, as the kernel routes it; undefined: there is no way. */
export async function routeTowards(address: string): Promise<string | undefined> {
  return await routedFrom(address.includes(":") ? `[${address}]:9` : `${address}:9`).catch(() => undefined);
}

async function routedFrom(server: string): Promise<string> {
  const [, host = "", port = ""] = /^\[?(.+?)\]?:(\d+)$/.exec(server) ?? [];
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.once("connect", resolve);
  socket.connect(Number(port), address);
  try {
    await promise;
    return socket.address().address;
  } finally {
    socket.close();
  }
}
